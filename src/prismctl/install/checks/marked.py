"""The processes that were started for stacks of a home: known by the mark that its keepers give them."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.problems import shorten
from prismctl.domain.service import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prismctl.files.paths import Home

KEEPER_VARIABLE: Final = "PRISM_KEEPER"
"""What everything that a keeper started has in its environment: the keeper's id."""
STACK_VARIABLE: Final = "PRISM_STACK"
_COMMAND_LENGTH: Final = 60


class MarkedProcess(NamedTuple):
    """A living process that a keeper started."""

    pid: int
    stack: str
    """Of this home; empty for another home's."""
    command: str
    """In one short line."""


def find_marked(home: Home, stacks: Mapping[str, str]) -> dict[int, MarkedProcess]:
    """The processes that carry any keeper's mark, by PID.

    Args:
        home: whose stacks are told apart from others.
        stacks: names by keeper id, as far as they are known; one whose directory is gone is known by its name.
    """
    found = {}
    for pid, environment in _read_environments():
        mark = environment.get(KEEPER_VARIABLE)
        if not mark:
            continue
        stack = stacks.get(mark, "")
        name = environment.get(STACK_VARIABLE, "")
        if not stack and is_name(name) and home.stack(name).keeper_id == mark:
            stack = name
        found[pid] = MarkedProcess(pid, stack, _read_command(pid))
    return found


def find_own_line() -> set[int]:
    """This process and those it descends from: nobody's leftovers."""
    return {os.getpid(), *_ancestors(os.getpid())}


def find_marked_ancestor(pid: int, marked: Mapping[int, MarkedProcess]) -> MarkedProcess | None:
    """The process itself or the nearest one above it that carries a mark; ``None``: there is none."""
    return next((marked[each] for each in (pid, *_ancestors(pid)) if each in marked), None)


def _ancestors(pid: int) -> Iterator[int]:
    seen = {pid, 0}
    while (pid := _parent(pid)) not in seen:
        seen.add(pid)
        yield pid


def _parent(pid: int) -> int:
    if sys.platform != "linux":
        import psutil

        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).ppid()
        return 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
        # The name in parentheses may itself have spaces and parentheses in it.
        return int(text.rpartition(")")[2].split()[1])
    return 0


def _read_environments() -> Iterator[tuple[int, dict[str, str]]]:
    if sys.platform != "linux":
        yield from _read_environments_portably()
        return
    mark = f"{KEEPER_VARIABLE}=".encode()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        # Processes end while we look, and those of others are closed to us.
        with contextlib.suppress(OSError):
            data = (process / "environ").read_bytes()
            if mark in data and not _is_zombie(process):
                yield int(process.name), _parse_environment(data)


def _parse_environment(data: bytes) -> dict[str, str]:
    entries = (entry.decode(errors="replace").partition("=") for entry in data.split(b"\0"))
    return {name: value for name, equals, value in entries if equals}


def _is_zombie(process: Path) -> bool:
    text = (process / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()[0] in {"Z", "X"}


def _read_environments_portably() -> Iterator[tuple[int, dict[str, str]]]:
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            yield process.pid, process.environ()


def _read_command(pid: int) -> str:
    words: list[str] = []
    if sys.platform != "linux":
        import psutil

        with contextlib.suppress(psutil.Error):
            words = psutil.Process(pid).cmdline()
    else:
        with contextlib.suppress(OSError):
            data = Path("/proc", str(pid), "cmdline").read_bytes()
            words = [word for word in data.decode(errors="replace").split("\0") if word]
    if not words:
        return "a process"
    return shorten(" ".join([Path(words[0]).name, *words[1:]]), _COMMAND_LENGTH)
