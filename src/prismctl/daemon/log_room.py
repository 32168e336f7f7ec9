"""All logs of a stack together stay within a bound: of many talkative services, what was moved aside longest ago goes.

One service has at most 64 MiB (``keeper/protocol.py``); a hundred of them, and those that were taken out of the stack,
would fill a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.files.log_cursor import LOG_SUFFIX
from prismctl.keeper.logs import GONE_SUFFIX, note_removal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

MAX_STACK_BYTES: Final = 1024 * 1024 * 1024
LOOK_SECONDS: Final = 30.0
"""How often sizes are looked at: between two looks a log can grow, and that much is not worth more work."""


class LogPart(NamedTuple):
    """One file of a log."""

    path: Path
    size: int
    changed_at: float


async def keep_room(directory: Path, find_services: Callable[[], Collection[str]]) -> None:
    """See to it for ever; while no service shall run, nobody writes either."""
    while True:
        if services := find_services():
            for path in choose_superfluous(list_parts(directory), services, MAX_STACK_BYTES):
                await asyncio.to_thread(_remove, path)
        await asyncio.sleep(LOOK_SECONDS)


def _remove(path: Path) -> None:
    if _number_of(path):
        note_removal(str(path.with_suffix("")), str(path))
    else:
        path.with_name(f"{path.name}{GONE_SUFFIX}").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def list_parts(directory: Path) -> list[LogPart]:
    """The files of all logs, those that were moved aside included."""
    parts = []
    with contextlib.suppress(FileNotFoundError):
        for path in directory.iterdir():
            # Files come and go meanwhile.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                parts.append(LogPart(path, status.st_size, status.st_mtime))
    return parts


def choose_superfluous(
    parts: Iterable[LogPart], services: Collection[str], max_bytes: int
) -> list[Path]:
    """What has to go so that the rest is no more than ``max_bytes``, the oldest first.

    What a service of the stack or an agent is writing stays, and of one log nothing goes before what is older.
    """
    known = list(parts)
    total = sum(part.size for part in known)
    chosen: list[Path] = []
    for part in sorted(known, key=lambda part: (part.changed_at, -_number_of(part.path))):
        if total <= max_bytes:
            break
        service, is_instance, _ = part.path.name.partition("#")
        if _number_of(part.path) or (is_instance and service not in services):
            chosen.append(part.path)
            total -= part.size
    return chosen


def _number_of(path: Path) -> int:
    """How often a file has been moved aside; 0: it is being written."""
    number = path.suffix.removeprefix(".")
    return int(number) if number.isdigit() and path.stem.endswith(LOG_SUFFIX) else 0
