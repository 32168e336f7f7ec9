"""What a server is, as far as a plan has to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.service import Runtime, ServiceDefinition
    from prismctl.domain.shape import Shape


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of ``config`` that a server is told."""

    shape: Shape
    meaning: str
    default: str
    """What holds without it, in words."""
    becomes: str
    """What the server itself calls it."""


class Configure(Protocol):
    """Puts settings into the definition of a server, for the runtime it was decided to have."""

    def __call__(
        self, definition: ServiceDefinition, runtime: Runtime, *, persists: bool
    ) -> ServiceDefinition:
        """The definition as it is to be run; ``persists``: its data outlives the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One kind of server."""

    driver: str
    title: str
    """As people write it."""
    programs: tuple[str, ...]
    """What its program is called; no other is given its settings."""
    settings: Mapping[str, Setting]
    configure: Configure
    needs: tuple[str, ...] = ()
    """Programs that its own cannot run without."""

    def is_program(self, path: str) -> bool:
        """Whether a program is this server, by its name."""
        return path.rpartition("/")[2] in self.programs


def with_words(definition: ServiceDefinition, runtime: Runtime, *words: str) -> ServiceDefinition:
    """The definition with words after all others of its command line; the later one counts, where one is there twice."""
    from dataclasses import replace

    from prismctl.domain.service import Runtime

    if runtime is Runtime.NATIVE:
        return replace(definition, command=(*definition.command, *words))
    return replace(definition, args=(*definition.args, *words))


def without_word(definition: ServiceDefinition, word: str) -> ServiceDefinition:
    """The definition without a word, wherever it stands on a command line."""
    from dataclasses import replace

    return replace(
        definition,
        command=tuple(each for each in definition.command if each != word),
        args=tuple(each for each in definition.args if each != word),
    )


def chosen(definition: ServiceDefinition, key: str) -> Any:
    """What somebody has set, or ``None``."""
    return definition.config.get(key)
