"""Appends what all services print to one file, for whoever asked for that at the start: everything, and each line once.

A record is written ahead of each step: which lines are in the file, and how long it then is. A daemon that takes over
after a crash cuts the file to that length and goes on with the next line. While the file cannot be written, the lines
wait where they are, in the services' own log files.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.files.logs import LogFollower, find_logs, part_lines
from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prismctl.domain.redaction import Redactor
    from prismctl.files.log_line import LogLine
    from prismctl.files.paths import StackPaths

MAX_COPY_BYTES: Final = 64 * 1024 * 1024
MAX_COPY_FILES: Final = 4
"""The file is moved aside as ``FILE.1``, ``FILE.2``… when it has grown to that size; so many are kept in all."""
POLL_SECONDS: Final = 0.1
"""Files are written by the keeper; only while somebody wants them they are looked at."""
RETRY_SECONDS: Final = 0.5
"""How often a file that cannot be written is tried again."""


@dataclass(slots=True)
class _Progress:
    """How far the copy has come."""

    since: float
    """Of an instance without a position, everything from then on is wanted."""
    positions: dict[str, str] = field(default_factory=dict)
    """By instance, the sequence of the last line that is in the file."""


class LogCopy:
    """The copy to one file.

    Args:
        paths: of the stack.
        target: the file.
        redactor: what is hidden.
        show_problem: is told that the file cannot be written, once, and with an empty text that it can again.
    """

    def __init__(
        self,
        paths: StackPaths,
        target: str,
        *,
        redactor: Redactor,
        show_problem: Callable[[str], None],
    ) -> None:
        self.target = target
        self._paths = paths
        self._redactor = redactor
        self._show_problem = show_problem
        self._problem = ""
        self._finishing = asyncio.Event()
        self._file = LogFile(target, max_bytes=MAX_COPY_BYTES, max_files=MAX_COPY_FILES)

    async def run(self, *, is_resumed: bool) -> None:
        """Copy until `finish`; a copy that is resumed goes on behind the last line that an earlier daemon copied."""
        recovered = self._recover() if is_resumed else None
        progress = _Progress(since=time.time()) if recovered is None else recovered
        try:
            with LogFollower(
                find_logs(self._paths.logs),
                since=progress.since,
                after=progress.positions,
                redactor=self._redactor,
            ) as follower:
                await self._go_on(follower, progress)
        finally:
            self._file.close()
            self._tell("")

    def finish(self) -> None:
        """Let it end once everything that was printed is copied, or cannot be."""
        self._finishing.set()

    async def _go_on(self, follower: LogFollower, progress: _Progress) -> None:
        while True:
            is_last = self._finishing.is_set()
            follower.include(find_logs(self._paths.logs))
            lines = follower.read_new()
            for bundle in part_lines(lines):
                self._save_record(progress)
                if not await self._write_until_written(bundle):
                    return
                for line in bundle:
                    progress.positions[f"{line.service}#{line.replica}"] = line.sequence
            if lines:
                continue
            if is_last:
                self._save_record(progress)
                return
            await self._wait(POLL_SECONDS)

    async def _write_until_written(self, bundle: Sequence[LogLine]) -> bool:
        """Whether it is in the file; if not, there is nobody left to wait for that."""
        rest = render_copy(bundle)
        while rest:
            rest = await _to_its_end(rest, self._write)
            self._tell(self._file.reason if rest else "")
            if rest:
                if self._finishing.is_set():
                    return False
                await self._wait(RETRY_SECONDS)
        return True

    def _write(self, text: bytes) -> bytes:
        """Write whole lines; those that could not be."""
        lost_before = self._file.lost_lines
        self._file.ensure_current()
        self._file.write(text)
        lost = self._file.lost_lines - lost_before
        return b"\n".join(text.split(b"\n")[-lost - 1 :]) if lost else b""

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._finishing.wait()

    def _tell(self, problem: str) -> None:
        if bool(problem) == bool(self._problem):
            return
        self._problem = problem
        self._show_problem(
            f"{self.target} cannot be written ({problem.lower()}): the copy of the logs goes on when it can"
            if problem
            else ""
        )

    def _save_record(self, progress: _Progress) -> None:
        end = self._file.find_end()
        if end is None:
            return
        content = json.dumps(
            {
                "target": self.target,
                "inode": end[0],
                "size": end[1],
                "since": progress.since,
                "positions": progress.positions,
            }
        )
        # Against a crash of ours, not of the machine: flushing would cost more than all the rest.
        temporary = self._paths.log_copy.with_suffix(".new")
        with contextlib.suppress(OSError):
            temporary.write_text(content, encoding="utf-8")
            temporary.chmod(0o600)
            temporary.replace(self._paths.log_copy)

    def _recover(self) -> _Progress | None:
        try:
            data = json.loads(self._paths.log_copy.read_text(encoding="utf-8"))
            if data["target"] != self.target:
                return None
            progress = _Progress(
                since=float(data["since"]),
                positions={str(key): str(place) for key, place in data["positions"].items()},
            )
            _cut(Path(self.target), int(data["inode"]), int(data["size"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return progress


def render_copy(lines: Sequence[LogLine]) -> bytes:
    """Lines as the file has them: ``TIME SERVICE TEXT``, with the number of a replica other than the first."""
    return "".join(
        f"{line.time} {line.service}{f'#{line.replica}' if line.replica else ''} "
        f"{line.text.replace(chr(10), ' ')}\n"
        for line in lines
    ).encode(errors="replace")


def _cut(target: Path, inode: int, size: int) -> None:
    """Take away what was written after the record: it will be copied again.

    Raises:
        OSError: it cannot be.
    """
    for candidate in (target, target.with_name(f"{target.name}.1")):
        try:
            status = candidate.stat()
        except FileNotFoundError:
            continue
        if status.st_ino != inode or not stat.S_ISREG(status.st_mode):
            continue
        if status.st_size > size:
            os.truncate(candidate, size)
        if candidate != target and target.exists():
            # It was begun after the record, in the same step.
            os.truncate(target, 0)
        return


async def _to_its_end(text: bytes, write: Callable[[bytes], bytes]) -> bytes:
    """Write in a thread, which nobody can interrupt: a cancellation waits for it."""
    work = asyncio.ensure_future(asyncio.to_thread(write, text))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise
