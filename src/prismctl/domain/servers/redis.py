"""Redis: every write is in its log before long, whether or not the data outlives the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.server import Server, Setting, chosen, with_words
from prismctl.domain.shape import Flag, Whole

if TYPE_CHECKING:
    from prismctl.domain.service import Runtime, ServiceDefinition

SNAPSHOTS: Final = "3600 1 300 100 60 10000"
"""After how many seconds with how many changes a snapshot is taken; Redis's own default."""

SETTINGS: Final = {
    "memory_mb": Setting(
        Whole(1, 1 << 20),
        "how much it may hold; a write beyond that is refused",
        "no limit",
        "`maxmemory`",
    ),
    "persist": Setting(
        Flag(),
        "keep its data from one start to the next, with snapshots beside the log of every write",
        "false: fresh at every start; the log of every write is kept in any case",
        "`save`",
    ),
}


def configure(
    definition: ServiceDefinition, runtime: Runtime, *, persists: bool
) -> ServiceDefinition:
    """The settings as options; one that is given twice counts as given last."""
    del persists
    words: list[str] = []
    memory = chosen(definition, "memory_mb")
    if memory is not None:
        words += ["--maxmemory", f"{memory}mb"]
    if chosen(definition, "persist"):
        words += ["--save", SNAPSHOTS, "--appendonly", "yes"]
    return with_words(definition, runtime, *words)


REDIS: Final = Server(
    driver="redis",
    title="Redis",
    programs=("redis-server", "valkey-server"),
    settings=SETTINGS,
    configure=configure,
)
