"""A catalog is read: each entry by the table of its keys, then all of them against each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.catalog_keys import CATALOG, SERVICE
from prismctl.domain.definition import define_service
from prismctl.domain.dependencies import find_cycle, render_cycle
from prismctl.domain.document import Document, Report
from prismctl.domain.needs import Condition
from prismctl.domain.offering import Catalog, Version
from prismctl.domain.packaged import CORE
from prismctl.domain.problems import nearest_name, shorten
from prismctl.domain.references import find_misreferences
from prismctl.domain.service import (
    SHORT_NAMES,
    ServiceName,
    full_name,
    is_name,
)
from prismctl.domain.shape import (
    describe,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.document import Path
    from prismctl.domain.problems import Place
    from prismctl.domain.service import ServiceDefinition

VALIDATE_HINT: Final = "`prismctl dev catalog validate {file}` checks without starting anything"


def is_validate_hint(hint: str) -> bool:
    """Whether a hint says nothing but to validate the catalog."""
    before, after = VALIDATE_HINT.split("{file}")
    return hint.startswith(before) and hint.endswith(after)


def read_overlay(document: Document, base: Catalog) -> Catalog:
    """A catalog with another file over it, which is there for nothing else.

    Raises:
        ConfigError: the overlay has mistakes; all of them, each with its place.
    """
    catalog = read_catalog(document, base=base, keys=("services",))
    sources = (base.file, document.file)
    name = document.file.rpartition("/")[2]
    return dataclasses.replace(catalog, file=f"{base.file} + {name}", sources=sources)


def read_catalog(
    document: Document, *, base: Catalog | None = None, keys: Sequence[str] = ()
) -> Catalog:
    """The catalog that a document describes.

    Args:
        document: has a list of services.
        base: a catalog that the document adds to and changes, rather than standing for itself.
        keys: the only ones that the document may have, where there is a base; without them, others have read it.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
    """
    report = Report(document)
    reader = _CatalogReader(report, base, keys)
    definitions = reader.read(document.tree)
    entries = {name: (document, index) for name, index in reader.entries.items()}
    below = base.versions if base is not None else {}
    versions = {
        name: (*below.get(name, ()), Version(document, index, definitions[name]))
        for name, index in reader.entries.items()
    }
    if base is not None:
        catalog = dataclasses.replace(
            base,
            services=definitions,
            entries={**base.entries, **entries},
            versions={**below, **versions},
        )
    else:
        catalog = Catalog(
            services=definitions,
            file=document.file,
            directory=document.directory,
            entries=entries,
            versions=versions,
        )
    _check_references(catalog, reader)
    report.problems.found.sort(key=lambda problem: (problem.line, problem.column))
    whole = base.file if base is not None and keys else document.file
    report.problems.raise_if_any(hint=VALIDATE_HINT.format(file=whole))
    return catalog


def _check_references(catalog: Catalog, reader: _CatalogReader) -> None:
    problems = reader.report.problems
    for service, path, mistake in find_misreferences(
        catalog.services, known_services=reader.named, flawed=reader.flawed
    ):
        if _is_written(catalog, service, path):
            problems.add(
                f"{service}: {mistake.message}",
                catalog.place(service, *path),
                suggestion=mistake.suggestion,
            )
        elif service not in reader.flawed:
            # Some entry has taken from what ships what it refers to: its own, or the other service's.
            blamed = service if service in catalog.entries else mistake.service
            problems.add(f"{service}: packaged {path[0]}: {mistake.message}", catalog.place(blamed))


def _is_written(catalog: Catalog, service: ServiceName, path: Path) -> bool:
    """Whether somebody has written what stands under a path of a service's entry, rather than left it as packaged."""
    if service not in catalog.entries:
        return False
    document, index = catalog.entries[service]
    return ("services", index, path[0]) in document.values


class _CatalogReader:
    """Reads the services of one document, and then checks them against each other."""

    def __init__(self, report: Report, base: Catalog | None, keys: Sequence[str] = ()) -> None:
        self.report = report
        self.base = base
        self.keys = keys
        self.definitions: dict[ServiceName, ServiceDefinition] = {}
        self.entries: dict[ServiceName, int] = {}
        self.flawed: set[str] = set()
        """Services whose entries have mistakes."""
        self.named: list[str] = []
        """Every name there is, also of entries that have mistakes: others may depend on them."""

    def read(self, tree: object) -> dict[ServiceName, ServiceDefinition]:
        """Definitions by name: first what the document adds to, then its own in their order."""
        report = self.report
        if not isinstance(tree, dict):
            report.value((), f"the file is {describe(tree)}, not a mapping with `services`")
            return {}
        foundation = self._foundation(tree)
        entries = tree.get("services")
        if not isinstance(entries, list):
            what = "missing" if "services" not in tree else describe(entries)
            report.value(("services",), f"services is {what}; write a list of entries with `name`")
            return {}
        if not entries and self.base is None:
            report.value(("services",), "services is empty: there is nothing to start")
            return {}
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
        self.named = [*foundation, *(name for name in names if isinstance(name, str))]
        for index, entry in enumerate(entries):
            mistakes = len(report.problems.found)
            self._read_entry(index, entry)
            if len(report.problems.found) > mistakes and isinstance(entry, dict):
                self.flawed.add(str(entry.get("name")))
        added = {
            name: definition
            for name, definition in foundation.items()
            if name not in self.definitions
        }
        definitions = {**added, **self.definitions}
        if self.base is not None:
            # A changed service keeps its place; new ones follow.
            definitions = {name: definitions[name] for name in (*foundation, *self.definitions)}
        self._check_cycles(definitions)
        self._check_conditions(definitions)
        return definitions

    def _foundation(self, tree: dict[Any, Any]) -> dict[ServiceName, ServiceDefinition]:
        """The services that are there without being named in the document."""
        known = tuple(CATALOG.keys) if self.base is None else self.keys
        for key in tree if known else ():
            if key not in known and not str(key).startswith("x-"):
                self.report.unknown_key((key,), known)
        if self.base is not None:
            return dict(self.base.services)
        core = tree.get("core")
        if core is None or CATALOG.keys["core"].shape.read(core, ("core",), self.report) is True:
            return {definition.name: definition for definition in CORE}
        return {}

    def _read_entry(self, index: int, entry: object) -> None:
        report = self.report
        path: Path = ("services", index)
        name = entry.get("name") if isinstance(entry, dict) else None
        report.subject = (shorten(name) if isinstance(name, str) else "") or f"entry {index + 1}"
        given = SERVICE.read(entry, path, report)
        if isinstance(given, dict) and "name" in given:
            service = ServiceName(given["name"])
            if service in self.entries:
                first = report.document.place_of_value(("services", self.entries[service], "name"))
                report.value((*path, "name"), f"is defined twice; first in line {first.line}")
            else:
                self.entries[service] = index
                self._check_names(given, path)
                known = self.base.services.get(service) if self.base is not None else None
                definition = define_service(given, path, report, known=known)
                self.definitions[service] = definition
                if "depends_on" not in given:
                    self._check_packaged_dependencies(definition, path)
        report.subject = ""

    def _check_names(self, given: dict[str, Any], path: Path) -> None:
        report = self.report
        for index, (word, need) in enumerate(given.get("depends_on", {}).items()):
            target = full_name(word, self.named)
            place = self._place_of_dependency(path, word, index)
            if target == given["name"]:
                report.problems.add(f"{report.subject}: depends on itself", place)
            elif target not in self.named and (need.is_required or not is_name(target)):
                others = [name for name in self.named if name != given["name"]]
                report.problems.add(
                    f"{report.subject}: depends on `{word}`, which is not in the file",
                    place,
                    suggestion=nearest_name(word, others),
                )

    def _place_of_dependency(self, path: Path, word: str, index: int) -> Place:
        """Where a name among the dependencies stands: a key of a mapping, or an item of a list."""
        document = self.report.document
        if (*path, "depends_on", word) in document.keys:
            return document.place_of_key((*path, "depends_on", word))
        return document.place_of_value((*path, "depends_on", index))

    def _check_conditions(self, definitions: Mapping[ServiceName, ServiceDefinition]) -> None:
        """Only what ends by itself can be waited for to its end."""
        for name, index in self.entries.items():
            for target, need in definitions[name].needs.items():
                if need.condition is not Condition.COMPLETED or str(target) in self.flawed:
                    continue
                if target in definitions and not definitions[target].one_shot:
                    path = ("services", index, "depends_on")
                    words = (
                        target,
                        *(short for short, full in SHORT_NAMES.items() if full == target),
                    )
                    written = [word for word in words if (*path, word) in self.report.document.keys]
                    self.report.value(
                        (*path, *written[:1], "condition"),
                        f"{name}: {target} never completes: it has no `one_shot: true`",
                    )

    def _check_packaged_dependencies(self, definition: ServiceDefinition, path: Path) -> None:
        for target in definition.requires:
            if target not in self.named:
                self.report.value(
                    (*path, "name"),
                    f"needs {target}, which is not in the file; `depends_on: []` says that it does not",
                )

    def _check_cycles(self, definitions: Mapping[ServiceName, ServiceDefinition]) -> None:
        cycle = find_cycle(
            {
                name: [each for each in definition.depends_on if each != name]
                for name, definition in definitions.items()
            }
        )
        if cycle:
            index = self.entries.get(cycle[0], 0)
            self.report.value(("services", index, "depends_on"), render_cycle(cycle))
