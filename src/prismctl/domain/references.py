"""Where a service's definition may hold ``${…}``, and whether a plan could ever replace what it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prismctl.domain.interpolation import (
    STACK_REFERENCES,
    Addresses,
    Mistake,
    Surroundings,
    find_services,
    interpolate,
    takes_password,
)
from prismctl.domain.plan import LOOPBACK
from prismctl.domain.service import ServiceName, full_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from prismctl.domain.service import ServiceDefinition


class Rewrite(Protocol):
    """Makes another text of one that stands at a path of a service's entry."""

    def __call__(self, text: str, *path: str | int) -> str:
        """The text that takes its place."""


class Misreference(NamedTuple):
    """A reference that no plan could replace."""

    service: ServiceName
    """Whose text it is in."""
    path: tuple[str | int, ...]
    """Of the text in the service's entry."""
    mistake: Mistake


def rewrite_texts(definition: ServiceDefinition, rewrite: Rewrite) -> ServiceDefinition:
    """The definition with every text that may hold references rewritten, each with its path in the entry."""

    def words(texts: tuple[str, ...], *path: str) -> tuple[str, ...]:
        return tuple(rewrite(text, *path, index) for index, text in enumerate(texts))

    check = definition.health_check
    if check is not None:
        check = replace(
            check,
            command=words(check.command, "health_check", "command"),
            path=rewrite(check.path, "health_check", "path"),
            user=rewrite(check.user, "health_check", "user"),
            password=rewrite(check.password, "health_check", "password"),
        )
    return replace(
        definition,
        command=words(definition.command, "command"),
        args=words(definition.args, "args"),
        init=words(definition.init, "native", "init"),
        env={key: rewrite(text, "env", key) for key, text in definition.env.items()},
        health_check=check,
        working_directory=rewrite(definition.working_directory, "working_directory"),
        volumes=words(definition.volumes, "volumes"),
        container=rewrite(definition.container, "container"),
        files={
            rewrite(file, "config"): rewrite(text, "config")
            for file, text in definition.files.items()
        },
    )


def may_hold_password(path: tuple[str | int, ...]) -> bool:
    """Whether what stands at a path of a service's entry reaches the service without anybody else seeing it."""
    return path[:1] == ("env",) or path == ("health_check", "password")


def refers_to_others(definition: ServiceDefinition) -> bool:
    """Whether the address of another service stands anywhere in the definition."""
    found: list[str] = []

    def look(text: str, *_path: str | int) -> str:
        found.extend(other for other in find_services(text) if other != "self")
        return text

    rewrite_texts(definition, look)
    return bool(found)


def find_misreferences(
    definitions: Mapping[ServiceName, ServiceDefinition],
    *,
    known_services: Collection[str],
    flawed: Collection[str] = (),
) -> list[Misreference]:
    """All references of a catalog's services that mean nothing, whatever is selected and wherever it starts.

    Which variables are set and which services are there is another matter with every start: here each
    variable has a value, and each service is there.

    Args:
        definitions: of the whole catalog.
        known_services: every name there is, also of entries that have mistakes.
        flawed: services whose entries have mistakes, so that nobody can say which ports they have.
    """
    addresses: dict[str, Addresses] = {
        # The numbers are looked at by nobody.
        name: Addresses(LOOPBACK, {port.name: port.number or 0 for port in definition.ports})
        for name, definition in definitions.items()
    }
    found: list[Misreference] = []
    for name, definition in definitions.items():
        around = Surroundings(
            service=name,
            data="",
            services=addresses,
            full_name=lambda word: full_name(word, known_services),
            known_services=known_services,
            stack=dict.fromkeys(STACK_REFERENCES, ""),
            variables=None,
        )
        found += _misreferences(definition, around, definitions)
    return [each for each in found if each.mistake.service not in flawed]


def _misreferences(
    definition: ServiceDefinition,
    around: Surroundings,
    definitions: Mapping[ServiceName, ServiceDefinition],
) -> list[Misreference]:
    found: list[Misreference] = []

    def find_password(name: str) -> str | None:
        """What it is does not matter; whether there is one does."""
        return "" if takes_password(definitions[ServiceName(name)].env.values()) else None

    trusted = around._replace(passwords=find_password)

    def take_note(text: str, *path: str | int) -> str:
        mistakes: list[Mistake] = []
        interpolate(text, trusted if may_hold_password(path) else around, mistakes)
        found.extend(Misreference(definition.name, path, mistake) for mistake in mistakes)
        return text

    rewrite_texts(definition, take_note)
    return found
