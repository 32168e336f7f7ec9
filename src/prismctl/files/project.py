"""A repository's own wishes (``prism.yaml``): selection, services, settings; found upwards from where one stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prismctl.domain.problems import NOWHERE, Place
from prismctl.domain.service import DEFAULT_STACK, StackName
from prismctl.files.paths import find_project_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.domain.document import Document
    from prismctl.domain.offering import Catalog
    from prismctl.domain.shape import Fields
    from prismctl.files.paths import Home
    from prismctl.files.settings import Settings

MAX_STACK_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a project file says."""

    file: Path
    """Absolute."""
    stack: StackName
    """Named after the directory, unless the file gives a name."""
    preset: str = ""
    profile: str = ""
    with_services: tuple[str, ...] = ()
    without_services: tuple[str, ...] = ()
    catalog: Path | None = None
    """A catalog of the project's own."""
    settings: Settings | None = None
    has_services: bool = False
    """The file itself describes services: they come on top of the catalog."""
    document: Document | None = None

    @property
    def directory(self) -> Path:
        """Where the file lies."""
        return self.file.parent

    def place(self, *path: str | int) -> Place:
        """Where a part of the file stands."""
        return self.document.place_of_value(path) if self.document else NOWHERE


def load_project(working_directory: Path) -> Project | None:
    """The project one stands in; ``None`` outside of any.

    Raises:
        ConfigError: its file has mistakes; all of them, each with its place.
        PrismError: it cannot be read.
    """
    path = find_project_file(working_directory)
    return None if path is None else load_project_file(path)


def load_project_file(path: Path) -> Project:
    """The project of a file.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
        PrismError: it cannot be read.
    """
    from prismctl.files.text import read_text

    text = read_text(path)
    if not text.strip():
        return Project(file=path, stack=name_stack(path.parent.name))
    from prismctl.files.yaml import parse_document

    return read_project(parse_document(text, path), path)


def read_project(document: Document, path: Path) -> Project:
    """The project that a document describes.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
    """
    from prismctl.domain.document import Report
    from prismctl.domain.presets import PRESET_NAMES
    from prismctl.files.settings import make_settings

    report = Report(document)
    given = project_shape().read(document.tree, (), report)
    if "preset" in given and given["preset"] not in PRESET_NAMES:
        report.unknown_value(("preset",), "preset", given["preset"], PRESET_NAMES)
    report.problems.found.sort(key=lambda problem: (problem.line, problem.column))
    report.problems.raise_if_any()
    settings = given.get("settings")
    catalog = given.get("catalog")
    return Project(
        file=path,
        stack=StackName(given["stack"]) if "stack" in given else name_stack(path.parent.name),
        preset=given.get("preset", ""),
        profile=given.get("profile", ""),
        with_services=given.get("with", ()),
        without_services=given.get("without", ()),
        catalog=path.parent / catalog if catalog else None,
        settings=None if settings is None else make_settings(settings, document, ("settings",)),
        has_services="services" in given,
        document=document,
    )


def load_project_catalog(
    home: Home, project: Project | None, *, creates: bool = True, locates: bool = False
) -> Catalog:
    """What there is to choose from: home's catalog or the project's own, and the project's services on top of it.

    With ``creates`` off, a home without a catalog stays as it is; with ``locates``, each value knows its line.

    Raises:
        ConfigError: one of the files has mistakes; all of them, each with its place.
        PrismError: a file cannot be read, or home not be written.
    """
    from prismctl.files.catalog import load_catalog

    own = project.catalog if project is not None else None
    catalog = load_catalog(home, own, creates=creates, locates=locates)
    if project is None or not project.has_services or project.document is None:
        return catalog
    from prismctl.domain.catalog import read_catalog

    return read_catalog(project.document, base=catalog)


def settle_settings(settings: Settings, project: Project | None) -> Settings:
    """The settings of home, with what the project's file says put over them."""
    if project is None or project.settings is None:
        return settings
    own = {
        name: getattr(project.settings, name)
        for name in ("engine", "runtime", "auto_ports", "persist", "on_failure")
        if name in project.settings.places
    }
    return replace(settings, **own)


def find_stack_name(
    chosen: str, environment: Mapping[str, str], working_directory: Path
) -> StackName:
    """Which stack is meant: the one chosen by a flag, by ``PRISM_STACK``, by a project file, or the default one.

    Reads no YAML: every command needs to know this, and most have no other use for the file.
    """
    if chosen or environment.get("PRISM_STACK"):
        return StackName(chosen or environment["PRISM_STACK"])
    path = find_project_file(working_directory)
    if path is None:
        return DEFAULT_STACK
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^stack:[ \t]*[\"']?([a-z0-9][a-z0-9-]{0,62})\b", text, re.MULTILINE)
    return StackName(named[1]) if named else name_stack(path.parent.name)


def name_stack(directory_name: str) -> StackName:
    """A stack's name from that of a directory."""
    name = re.sub(r"[^a-z0-9]+", "-", directory_name.lower()).strip("-")
    return StackName(name[:MAX_STACK_NAME_LENGTH].rstrip("-")) if name else DEFAULT_STACK


def project_shape() -> Fields:
    """The table of keys of a project file."""
    from prismctl.domain.catalog_keys import SERVICE
    from prismctl.domain.service import NAME_PATTERN
    from prismctl.domain.shape import Fields, Key, ListOf, Text
    from prismctl.files.settings import settings_shape

    return Fields(
        {
            "stack": Key(
                Text(NAME_PATTERN, "a name (lower case letters, digits and `-`, at most 63)"),
                "the stack's name; that of the directory otherwise",
            ),
            "preset": Key(Text(), "what is started"),
            "profile": Key(Text(), "what is started; goes before preset"),
            "with": Key(ListOf(Text(), is_single_allowed=True), "services to add"),
            "without": Key(ListOf(Text(), is_single_allowed=True), "services to leave out"),
            "catalog": Key(Text(), "a catalog file, relative to this one, instead of the user's"),
            "services": Key(ListOf(SERVICE), "services of the project, on top of the catalog"),
            "settings": Key(settings_shape(), "settings, over those of the user"),
        }
    )
