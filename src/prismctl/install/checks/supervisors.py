"""Keepers and daemons of a home that run while their files are gone: nobody can reach them, and they look after nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.files.locks import is_held

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from prismctl.files.paths import Home

SETTLED_SECONDS: Final = 10.0
"""A process that is younger may be about to listen."""
_KEEPER: Final = "prismctl/keeper/__main__.py"
_DAEMON: Final = "prismctl.daemon"


class Supervisor(NamedTuple):
    """A keeper or a daemon."""

    pid: int
    stack: str
    lock: Path
    """What it holds as long as it lives, if it is still there."""


def find_lost(
    home: Home, attended: Collection[str], *, settled_seconds: float = SETTLED_SECONDS
) -> list[Supervisor]:
    """The keepers and daemons of a home that hold no lock any more.

    Args:
        home: whose they are.
        attended: stacks that somebody answers for.
        settled_seconds: how old they have to be.
    """
    lost = []
    for pid, words, age_seconds in _read_commands(home):
        found = read_supervisor(pid, words, home)
        if (
            found is not None
            and found.stack not in attended
            and age_seconds >= settled_seconds
            and not is_held(found.lock)
        ):
            lost.append(found)
    return lost


def read_supervisor(pid: int, words: Sequence[str], home: Home) -> Supervisor | None:
    """What a command line is the keeper or the daemon of; ``None``: nothing of this home."""
    options = dict(itertools.pairwise(words))
    if any(word.endswith(_KEEPER) for word in words):
        lock = Path(options.get("--lock", ""))
        return Supervisor(pid, lock.parent.name, lock) if home.stacks in lock.parents else None
    if options.get("-m") == _DAEMON and "--sweep" not in words:
        stack = options.get("--stack", "")
        if stack and options.get("--home") == str(home.directory):
            return Supervisor(pid, stack, home.stack(stack).daemon_lock)
    return None


def _read_commands(home: Home) -> Iterator[tuple[int, list[str], float]]:
    """PID, words and age in seconds of what could be a keeper or a daemon."""
    candidates = _find_candidates(home)
    if candidates is not None and not candidates:
        return
    import psutil

    now = time.time()
    for pid in psutil.pids() if candidates is None else candidates:
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            words = process.cmdline()
            # Only the age of what could be one is worth asking for.
            if any(_KEEPER in word or word == _DAEMON for word in words):
                yield pid, words, now - process.create_time()


def _find_candidates(home: Home) -> list[int] | None:
    """Processes with the words of a keeper or a daemon of a home; ``None``: this system has no directory of them."""
    if not Path("/proc/self/cmdline").exists():
        return None
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                is_ours = os.fsencode(home.directory) in words
                if is_ours and (_KEEPER.encode() in words or _DAEMON.encode() in words):
                    found.append(int(entry.name))
    return found
