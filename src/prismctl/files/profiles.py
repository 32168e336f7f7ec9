"""Saved selections: one YAML file each, to be edited, copied and shared; `profile_writing` writes them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.domain.problems import Place, nearest_name, shorten
from prismctl.errors import ConfigError, PrismError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.document import Document, Report
    from prismctl.domain.offering import Catalog
    from prismctl.domain.problems import Problems
    from prismctl.domain.servers.server import Setting
    from prismctl.domain.service import ServiceDefinition, ServiceName
    from prismctl.domain.shape import Fields
    from prismctl.files.paths import Home

SUFFIX = ".yaml"
_MEANT_FOR_ALL = frozenset({"memory_mb", "persist"})
"""Settings of servers that mean something for every service as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A selection with a name, and what it changes about the services."""

    name: str
    description: str = ""
    services: tuple[str, ...] = ()
    """Full or short names."""
    places: tuple[Place, ...] = ()
    """Where each of them is written."""
    persist: bool = False
    """Keep the data of every service."""
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By service: what is different from the catalog, validated when it meets the catalog."""
    document: Document | None = None
    file: Path | None = None
    """Absolute; ``None`` for one that has no file yet."""


def list_profiles(home: Home) -> list[str]:
    """Names of the saved profiles, sorted."""
    try:
        return sorted(
            path.stem
            for path in home.profiles.iterdir()
            if path.suffix == SUFFIX and not path.name.startswith(".")
        )
    except OSError:
        return []


def load_profile(
    home: Home, name: str, directory: Path | None = None, *, problems: Problems | None = None
) -> Profile:
    """A saved profile, or one in a file.

    Args:
        home: where profiles are saved.
        name: of the profile, or a path; what has a slash in it or ends as YAML files do is one.
        directory: that a relative path starts from.
        problems: gets its mistakes, for whoever goes on to find more of them in what can be read.

    Raises:
        ConfigError: there is none of that name, or it has mistakes that nobody collects; all of them, each with its place.
        PrismError: it cannot be read.
    """
    from prismctl.files.yaml import load_document

    file = find_profile(home, name, directory)
    return replace(read_profile(load_document(file), file.stem, problems=problems), file=file)


def find_profile(home: Home, name: str, directory: Path | None = None) -> Path:
    """The file of a saved profile, or the one that was named; that one need not be there.

    Args:
        home: where profiles are saved.
        name: as for `load_profile`.
        directory: that a relative path starts from.

    Raises:
        ConfigError: none is saved under that name.
    """
    if is_file_name(name):
        # The other way of expanding it has no answer for a user that is not there.
        expanded = os.path.expanduser(name)  # noqa: PTH111
        return ((directory or Path.cwd()) / expanded).absolute()
    path = saved_file(home, name)
    if not os.path.lexists(path):
        names = list_profiles(home)
        known = f"; saved: {', '.join(names)}" if names else "; none is saved"
        suggestion = nearest_name(name, names)
        raise ConfigError(
            [
                Problem(
                    message=f"unknown profile `{shorten(name)}`{'' if suggestion else known}",
                    suggestion=suggestion,
                )
            ],
            hint="`prismctl dev profiles` lists what is saved",
        )
    return path


def is_file_name(name: str) -> bool:
    """Whether a word names a file, rather than a saved profile."""
    return "/" in name or name.endswith((SUFFIX, ".yml"))


def saved_file(home: Home, name: str) -> Path:
    """Where the profile of a name is saved, whether or not one is.

    Raises:
        ConfigError: nothing can be saved under that name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        message = f"profile name `{shorten(name)}` is impossible: letters, digits, `.`, `_` and `-`"
        raise ConfigError([Problem(message=message)])
    return home.profiles / f"{name}{SUFFIX}"


def read_profile(document: Document, name: str, *, problems: Problems | None = None) -> Profile:
    """The profile that a document describes; it is called as its file is, whatever it says itself.

    Args:
        document: the file.
        name: of the profile.
        problems: gets its mistakes; the profile is then what of it can be read, good only for finding more of them.

    Raises:
        ConfigError: it has mistakes that nobody collects; all of them, each with its place.
    """
    from prismctl.domain.document import Report

    report = Report(document)
    given = profile_shape().read(document.tree, (), report)
    if problems is None:
        report.problems.raise_if_any()
    else:
        problems.found += report.problems.found
    given = given if isinstance(given, dict) else {}
    services = given.get("services", ())
    return Profile(
        name=name,
        description=given.get("description", ""),
        services=services,
        places=tuple(
            document.place_of_value(("services", index)) for index in range(len(services))
        ),
        persist=given.get("persist", False),
        config=given.get("config", {}),
        document=document,
    )


def apply_profile(catalog: Catalog, profile: Profile) -> Catalog:
    """The catalog with what a profile changes about its services.

    Raises:
        ConfigError: it changes what cannot be changed; all of it, each with its place.
    """
    document = profile.document
    if document is None or not profile.config:
        return catalog
    from prismctl.domain.document import Report

    report = Report(document)
    services = dict(catalog.services)
    for word, change in profile.config.items():
        definition = catalog.find(word)
        if definition is None:
            place = document.place_of_key(("config", word))
            report.problems.add_unknown("service", word, catalog.known_words, place)
            continue
        services[definition.name] = _change(definition, word, change, report)
    report.problems.raise_if_any()
    return _with_services(catalog, services)


def delete_profile(home: Home, name: str) -> Path:
    """Remove a saved profile; where it was. What a link leads to stays.

    Raises:
        ConfigError: there is none of that name.
        PrismError: it cannot be removed.
    """
    if is_file_name(name):
        problem = Problem(message=f"`{shorten(name)}` is a file, not the name of a saved profile")
        raise ConfigError([problem], hint="`prismctl dev profiles` lists what is saved")
    path = find_profile(home, name)
    try:
        path.unlink()
    except OSError as error:
        raise PrismError(
            f"cannot remove {path}: {error.strerror}", hint=f"look at `ls -ld {path.parent}`"
        ) from error
    return path


def profile_shape() -> Fields:
    """The table of keys of a profile."""
    from prismctl.domain.servers.registry import all_settings
    from prismctl.domain.service import NAME_PATTERN
    from prismctl.domain.shape import Fields, Flag, Key, ListOf, MapOf, Text

    return Fields(
        {
            "name": Key(Text(), "how it is called; the file's name counts"),
            "description": Key(Text(is_empty_allowed=True), "one line"),
            "services": Key(ListOf(Text()), "what it starts"),
            "persist": Key(Flag(), "keep the data of every service"),
            "config": Key(
                MapOf(NAME_PATTERN, "a service's name", change_shape(all_settings())),
                "by service: what is different from the catalog",
            ),
        }
    )


def change_shape(settings: Mapping[str, Setting]) -> Fields:
    """The table of keys of what a profile changes about a service whose server has these settings."""
    from prismctl.domain.catalog_keys import SERVICE
    from prismctl.domain.shape import Fields, Key, Whole

    changeable = (
        "port",
        "ports",
        "runtime",
        "args",
        "env",
        "secrets",
        "health_check",
        "persist",
        "replicas",
        "resources",
        "one_shot",
        "stop_grace",
        "volumes",
    )
    memory = settings.get("memory_mb")
    reserved = "short for resources.memory"
    return Fields(
        {
            **{key: Key(each.shape, each.meaning) for key, each in settings.items()},
            **{key: SERVICE.keys[key] for key in changeable},
            "memory_mb": Key(
                Whole(1, 1 << 20),
                f"{reserved}; {memory.meaning}" if memory else reserved,
            ),
            "cpu_mhz": Key(Whole(1, 1_000_000), "short for resources.cpu"),
        }
    )


def _change(
    definition: ServiceDefinition, word: str, change: Mapping[str, Any], report: Report
) -> ServiceDefinition:

    from prismctl.domain.definition import complete_definition

    path = ("config", word)
    report.subject = definition.name
    resources = dict(change.get("resources", {}))
    for short, key in (("memory_mb", "memory"), ("cpu_mhz", "cpu")):
        if short in change:
            resources[key] = change[short]
    settings = _take_settings(definition, change, path, report)
    # In a profile this is what is reserved, or the server's own setting; never a container's limit.
    rest = {key: value for key, value in change.items() if key != "memory_mb"}
    changed = complete_definition(
        definition, {**rest, "resources": resources, **settings}, path, report
    )
    report.subject = ""
    return changed


def _take_settings(
    definition: ServiceDefinition,
    change: Mapping[str, Any],
    path: tuple[str | int, ...],
    report: Report,
) -> dict[str, Any]:
    """What of a change goes to the server itself, as ``config``; a key of another server's is a mistake."""
    from prismctl.domain.servers.registry import SERVERS, all_settings, find_server, read_config

    server = find_server(definition.driver)
    known = server.settings if server else {}
    for key in all_settings():
        if key in change and key not in known and key not in _MEANT_FOR_ALL:
            owners = [each for each in SERVERS.values() if key in each.settings]
            report.key(
                (*path, key), f"{key} is for {' and '.join(each.driver for each in owners)} only"
            )
    given = {key: value for key, value in change.items() if key in known}
    return {"config": read_config(given, definition.driver, path, report)} if given else {}


def _with_services(catalog: Catalog, services: Mapping[ServiceName, ServiceDefinition]) -> Catalog:
    return replace(catalog, services=services)
