"""Redis on this machine: an old one would have everybody on it run programs as the user that it runs as.

Redis has no password here (`docs/decisions/0010-who-gets-a-password.md` says why). Since 7 it refuses clients what would be
more than reading and changing data: where it writes, which modules it loads. One that is older is told to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.version_range import is_within

if TYPE_CHECKING:
    from prismctl.runtime.servers.launch import Launch

PROGRAM: Final = "redis-server"
GUARDED: Final = ">=7"
"""Versions that need not be told."""
REFUSED: Final = ("CONFIG", "MODULE", "DEBUG")
"""Commands that can make it write any file, or load one as a part of itself."""
_OWN_WAYS: Final = frozenset({"--requirepass", "--rename-command", "--aclfile"})


def is_plain_redis(launch: Launch) -> bool:
    """Whether it is Redis's own program, and nobody has said who may do what: no file of settings, no such option."""
    place = launch.command.index(launch.program) + 1
    words = launch.command[place:]
    has_file = bool(words) and not words[0].startswith("-")
    return Path(launch.program).name == PROGRAM and not has_file and _OWN_WAYS.isdisjoint(words)


def render_redis(launch: Launch, version: str) -> Launch:
    """The launch with what an old version has to be told; an empty version is unknown, and taken for one."""
    if version and is_within(version, GUARDED):
        return launch
    told = (word for name in REFUSED for word in ("--rename-command", name, ""))
    return launch._replace(command=(*launch.command, *told))
