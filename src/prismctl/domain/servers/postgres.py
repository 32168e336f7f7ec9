"""PostgreSQL: commits are always synchronous; only where nothing outlives the stack is it spared the disk's own wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.server import Server, Setting, chosen, with_words
from prismctl.domain.shape import Whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.service import Runtime, ServiceDefinition

_FSYNC: Final = "fsync="

SETTINGS: Final = {
    "shared_buffers_mb": Setting(
        Whole(1, 1 << 16), "how much memory it shares for pages", "16", "`shared_buffers`"
    ),
    "max_connections": Setting(
        Whole(1, 10_000),
        "how many clients at once; three of them are kept for superusers",
        "100",
        "`max_connections`",
    ),
}


def configure(
    definition: ServiceDefinition, runtime: Runtime, *, persists: bool
) -> ServiceDefinition:
    """The settings as ``-c NAME=VALUE``; what was said last counts."""
    words: list[str] = []
    buffers = chosen(definition, "shared_buffers_mb")
    if buffers is not None:
        words += ["-c", f"shared_buffers={buffers}MB"]
    connections = chosen(definition, "max_connections")
    if connections is not None:
        words += ["-c", f"max_connections={connections}"]
        if connections <= _RESERVED:
            # It would not start: those it keeps for superusers are three unless it is told.
            words += ["-c", "superuser_reserved_connections=0"]
    if persists and not waits_for_disk((*definition.command, *definition.args)):
        words += ["-c", f"{_FSYNC}on"]
    return with_words(definition, runtime, *words)


def waits_for_disk(words: Sequence[str]) -> bool:
    """Whether what is committed on this command line is on the disk, and survives that the machine loses power."""
    said = [word.removeprefix(_FSYNC) for word in words if word.startswith(_FSYNC)]
    return not said or said[-1] != "off"


_RESERVED: Final = 3

POSTGRES: Final = Server(
    driver="postgres",
    title="PostgreSQL",
    programs=("postgres",),
    settings=SETTINGS,
    configure=configure,
)
