"""The catalog as people write it: one table of keys, from which validator and JSON Schema are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.compose_words import COMPOSE_CHECK_WORDS, COMPOSE_WORDS
from prismctl.domain.definition import define_service
from prismctl.domain.dependencies import find_cycle, render_cycle
from prismctl.domain.document import Document, Report
from prismctl.domain.needs import Condition
from prismctl.domain.offering import Catalog, Version
from prismctl.domain.packaged import BUILTIN, CORE
from prismctl.domain.problems import nearest_name, shorten
from prismctl.domain.references import find_misreferences
from prismctl.domain.replica_limit import MAX_REPLICAS
from prismctl.domain.servers.registry import all_settings
from prismctl.domain.service import (
    AGENT_NAMES,
    NAME_PATTERN,
    SHORT_NAMES,
    CheckType,
    Runtime,
    ServiceName,
    ServiceType,
    full_name,
    is_name,
)
from prismctl.domain.shape import (
    INVALID,
    VARIABLE_PATTERN,
    Duration,
    Fields,
    Flag,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Text,
    Whole,
    Words,
    Written,
    describe,
)
from prismctl.domain.version_range import RANGE_PATTERN
from prismctl.domain.written_dependencies import Dependencies
from prismctl.domain.written_images import ImageText
from prismctl.domain.written_ports import DistantPort, OnePort, PortReference, SeveralPorts
from prismctl.domain.written_volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.document import Path
    from prismctl.domain.problems import Place
    from prismctl.domain.service import ServiceDefinition

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VALIDATE_HINT: Final = "`prismctl dev catalog validate {file}` checks without starting anything"

_MAX_MEMORY_MB: Final = 1 << 20
_MIN_MEMORY_LIMIT_MB: Final = 6
"""Under less no container can be started."""
_MAX_CPU_MHZ: Final = 1_000_000
_RUNTIMES: Final = (
    "auto",
    *(runtime.value for runtime in Runtime if runtime is not Runtime.EXTERNAL),
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Name:
    """What a service is called; what the engine's agents are called is taken."""

    text: Text = dataclasses.field(
        default_factory=lambda: Text(
            NAME_PATTERN, "a name (lower case letters, digits and `-`, at most 63)"
        )
    )

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The name itself."""
        name = self.text.read(value, path, report)
        if name in AGENT_NAMES:
            report.value(
                path,
                f"name `{name}` belongs to the engine's agent, whose log and page are found by it; "
                f"`my-{name}` is free",
            )
            return INVALID
        return name

    def schema(self) -> dict[str, Any]:
        """A string that is none of the taken ones."""
        return {**self.text.schema(), "not": {"enum": list(AGENT_NAMES)}}


_VARIABLE: Final = "a variable name (letters, digits, `_`)"

HEALTH_CHECK: Final = Fields(
    {
        "type": Key(
            OneOf("check type", tuple(CheckType)),
            "how to ask; without it, what the other keys suggest, else tcp",
        ),
        "port": Key(
            PortReference(),
            "number or name of the port to ask, one that is TCP; the first such one otherwise",
        ),
        "path": Key(Text(r"^/.*", "a path that begins with `/`"), "for http; any 2xx is healthy"),
        "command": Key(Words(), "for exec: healthy when it exits with 0"),
        "pattern": Key(Text(), "for log: healthy once a line matches this regular expression"),
        "user": Key(Written(), "for redis, postgres and nats: who asks"),
        "password": Key(
            Written(),
            "for the same, shown nowhere; without one, a server that asks for it is healthy",
        ),
        "jetstream": Key(Flag(), "for nats: true when JetStream has to answer, too"),
        "interval": Key(Duration(), "between questions once the service is steady (10s)"),
        "timeout": Key(Duration(), "for one question (2s)"),
        "start_period": Key(
            Duration(is_zero_allowed=True),
            "how long failures count as starting, not as unhealthy (30s)",
        ),
    },
    COMPOSE_CHECK_WORDS,
)

RESOURCES: Final = Fields(
    {
        "cpu": Key(Whole(1, _MAX_CPU_MHZ), "MHz that a scheduler reserves"),
        "memory": Key(
            Whole(1, _MAX_MEMORY_MB), "MB that a scheduler reserves; never a limit in development"
        ),
    }
)


EXTERNAL: Final = Fields(
    {
        "host": Key(
            Text(r"^[A-Za-z0-9_.:-]{1,253}$", "a host's name or address"),
            "where it runs",
            is_required=True,
        ),
        "port": Key(DistantPort(), "where it listens there; with `/udp` behind it, where for UDP"),
        "ports": Key(
            SeveralPorts(DistantPort()), "several ports there: a list of them, or names with them"
        ),
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Config:
    """Settings of a server; which ones there are is known once its driver is."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """What is written, as it is."""
        if not isinstance(value, dict):
            report.value(path, f"config is {describe(value)}, not a mapping")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """An object with every key that any server knows."""
        keys = {
            name: Key(setting.shape, setting.meaning) for name, setting in all_settings().items()
        }
        return Fields(keys).schema()


@dataclasses.dataclass(frozen=True, slots=True)
class _Range:
    """A range of versions; a number alone is taken as it was written."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The range as written."""
        text = Written().read(value, path, report)
        if text is INVALID:
            return INVALID
        return Text(RANGE_PATTERN, "a range of versions, as `>=15 <18`").read(text, path, report)

    def schema(self) -> dict[str, Any]:
        """A string or a number."""
        return {"anyOf": [{"type": "string", "pattern": RANGE_PATTERN}, {"type": "number"}]}


NATIVE: Final = Fields(
    {
        "version": Key(
            _Range(),
            "which versions of the program will do, as `>=15 <18`; another one is not started",
        ),
        "init": Key(
            Words(), "run to its end before the program, while the data directory is empty"
        ),
        "user": Key(
            Text(),
            "the account it runs under when prismctl is root; whoever else runs it stays who they are",
        ),
    }
)

SERVICE: Final = Fields(
    {
        "name": Key(
            _Name(),
            "how it is called everywhere; unique in the file, and not `nomad` or `consul`",
            is_required=True,
        ),
        "type": Key(OneOf("type", tuple(ServiceType)), "where it is listed"),
        "description": Key(Text(is_empty_allowed=True), "one line for the picker"),
        "tags": Key(
            ListOf(
                Text(NAME_PATTERN, "a tag (lower case letters, digits and `-`, at most 63)"),
                is_single_allowed=True,
            ),
            "words to find it by: in the picker, and with `catalog list WORD`; nothing else looks at them",
        ),
        "driver": Key(Text(), "what a backend speaks; says which `config` there is"),
        "required": Key(Flag(), "part of every stack"),
        "default": Key(Flag(), "part of a stack for which nothing else is chosen"),
        "depends_on": Key(
            Dependencies(),
            "services that have to be healthy first; as a mapping, with what is needed of each",
        ),
        "port": Key(
            OnePort(),
            "the port it listens on, `auto` for a free one; for a container also `HOST:INSIDE`, as `8080:80`; "
            "any of these with `/udp` behind it for UDP, as `5353/udp`",
        ),
        "ports": Key(
            SeveralPorts(), "several ports: a list of them, or names with them; one may stand alone"
        ),
        "runtime": Key(
            OneOf("runtime", _RUNTIMES), "what runs it; `auto` decides by what is there"
        ),
        "external": Key(
            EXTERNAL, "it runs elsewhere: nothing is started, it is only asked whether it is well"
        ),
        "builtin": Key(
            OneOf("builtin service", tuple(sorted(BUILTIN))),
            "the program of a service that ships with prismctl",
        ),
        "command": Key(Words(), "a program on this machine with its arguments; no shell runs"),
        "container": Key(ImageText(), "an image"),
        "args": Key(Words(), "arguments after the program or the image"),
        "native": Key(NATIVE, "details of the program on this machine"),
        "working_directory": Key(
            Text(), "where it runs; relative to the catalog; its data directory otherwise"
        ),
        "config": Key(
            _Config(), "what a Redis, PostgreSQL, NATS or Kafka is told, by its `driver`"
        ),
        "env": Key(MapOf(VARIABLE_PATTERN, _VARIABLE, Written()), "variables it gets"),
        "secrets": Key(
            ListOf(Text(), is_single_allowed=True), "keys of `env` whose values are shown nowhere"
        ),
        "volumes": Key(
            ListOf(Volume()), "what a container sees: `HOST:CONTAINER`; relative to the catalog"
        ),
        "watch": Key(
            ListOf(Text(), is_single_allowed=True),
            "files and directories that it is made from; relative to the catalog. With `start --watch` it is "
            "restarted when they change",
        ),
        "health_check": Key(HEALTH_CHECK, "how to find out whether it is ready"),
        "min_uptime": Key(
            Duration(is_zero_allowed=True),
            "with neither a check nor a port: healthy once it has lived this long; so with UDP ports where nobody can see whether they are taken (100ms)",
        ),
        "one_shot": Key(Flag(), "it ends by itself; exit code 0 completes it"),
        "persist": Key(Flag(), "keep its data from one start to the next"),
        "replicas": Key(Whole(0, MAX_REPLICAS), "how many instances (1)"),
        "memory_mb": Key(
            Whole(_MIN_MEMORY_LIMIT_MB, _MAX_MEMORY_MB),
            "for a container: MB beyond which it is killed; for any other: what a scheduler reserves, and no limit",
        ),
        "cpu": Key(Whole(1, _MAX_CPU_MHZ), "the same as `cpu` of `resources`"),
        "resources": Key(RESOURCES, "what a scheduler is told"),
        "stop_grace": Key(Duration(is_zero_allowed=True), "how long each stage of a stop has (3s)"),
    },
    COMPOSE_WORDS,
)

CATALOG: Final = Fields(
    {
        "services": Key(ListOf(SERVICE), "what can be started"),
        "core": Key(Flag(), "false: leave out the core services that the file does not name"),
    }
)


def is_validate_hint(hint: str) -> bool:
    """Whether a hint says nothing but to validate the catalog."""
    before, after = VALIDATE_HINT.split("{file}")
    return hint.startswith(before) and hint.endswith(after)


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of the catalog, for editors."""
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "Services that prismctl can start",
        **CATALOG.schema(),
    }


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
