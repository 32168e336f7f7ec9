"""Reads what services printed: several files as one stream in order of time, across rotation, from any position.

A line of a log file is ``2026-01-02T03:04:05.678901234Z stdout F text``; ``P`` in place of ``F`` says that the
line goes on in the next entry of the same stream. The current file is ``PATH``, the one before it ``PATH.1``
and so on. Times have one width, so they are compared as text.

Standard library only and cheap to import, because the logs of a stopped stack are read without a daemon.
"""

from __future__ import annotations

import heapq
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

BLOCK_BYTES: Final = 256 * 1024
"""How much of one file is read at a time."""
MAX_TEXT_BYTES: Final = 1024 * 1024
"""Parts of a line are joined up to this length; what is longer stays in several lines."""
MAX_FILES: Final = 32
"""How many rotated files are looked for."""

_LOG_SUFFIX: Final = ".log"
_FIELDS: Final = 4
_MAX_HEAD_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that an instance or an agent printed."""

    time: str
    """When it was read, RFC 3339 in UTC with nanoseconds."""
    service: str
    """The service, or the agent."""
    replica: int
    stream: str
    """``stdout`` or ``stderr``."""
    text: str
    """Without its end; bytes that are not UTF-8 appear as U+FFFD."""


def line_to_json(line: LogLine) -> dict[str, Any]:
    """The form in which a line crosses the socket."""
    return asdict(line)


def find_logs(directory: Path, services: Iterable[str] = ()) -> list[Path]:
    """The logs of the named services or agents; of all services when none is named."""
    wanted = frozenset(services)
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    keys = [name.removesuffix(_LOG_SUFFIX) for name in names if name.endswith(_LOG_SUFFIX)]
    chosen = [key for key in keys if (key.partition("#")[0] in wanted if wanted else "#" in key)]
    return [directory / f"{key}{_LOG_SUFFIX}" for key in sorted(chosen)]


def read_logs(
    directory: Path,
    services: Iterable[str] = (),
    *,
    tail: int | None = None,
    since: float | None = None,
) -> Iterator[LogLine]:
    """All there is, in order of time.

    ``tail`` keeps the last lines of each instance; ``since`` is in seconds since the epoch.
    """
    with LogFollower(find_logs(directory, services), tail=tail, since=since) as follower:
        yield from follower.read_history()


class LogFollower:
    """Several logs as one: what is there in order of time, and then what comes."""

    def __init__(
        self, paths: Iterable[Path], *, tail: int | None = None, since: float | None = None
    ) -> None:
        self._stamp = "" if since is None else render_stamp(since)
        self._tail = tail
        self._cursors: dict[Path, LogCursor] = {}
        for path in paths:
            self._cursors[path] = self._open(path)

    def __enter__(self) -> Self:
        """Files are opened as they are needed."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    def include(self, paths: Iterable[Path]) -> None:
        """Follow these too, from their beginning; those already followed are left alone."""
        for path in paths:
            if path not in self._cursors:
                self._cursors[path] = LogCursor(path)

    def read_history(self) -> Iterator[LogLine]:
        """What is there, merged; a file that grows meanwhile is read as far as it got."""
        return heapq.merge(
            *(self._read_to_end(cursor) for cursor in self._cursors.values()),
            key=lambda line: line.time,
        )

    def read_new(self) -> list[LogLine]:
        """What came since the last reading, in order of time; at most a block of each file."""
        lines = [line for cursor in self._cursors.values() for line in self._read_block(cursor)]
        lines.sort(key=lambda line: line.time)
        return lines

    def close(self) -> None:
        """Close the files."""
        for cursor in self._cursors.values():
            cursor.close()

    def _open(self, path: Path) -> LogCursor:
        cursor = LogCursor(path)
        if self._tail is not None:
            cursor.seek_tail(self._tail)
        elif self._stamp:
            cursor.seek_time(self._stamp)
        return cursor

    def _read_block(self, cursor: LogCursor) -> list[LogLine]:
        lines, _ = cursor.read()
        return [line for line in lines if line.time >= self._stamp] if self._stamp else lines

    def _read_to_end(self, cursor: LogCursor) -> Iterator[LogLine]:
        has_more = True
        while has_more:
            lines, has_more = cursor.read()
            yield from (line for line in lines if line.time >= self._stamp)


class LogCursor:
    """A place in the output of one instance, which survives rotation."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        service, _, replica = path.name.removesuffix(_LOG_SUFFIX).partition("#")
        self._service = service
        self._replica = int(replica) if replica.isdigit() else 0
        self._descriptor = -1
        self._rest = b""
        self._parts: dict[bytes, tuple[str, bytes]] = {}

    def seek_tail(self, count: int) -> None:
        """Go to where the last ``count`` lines begin."""
        missing = count
        for name in self._names_from_newest():
            offset, missing = _find_tail(name, missing)
            self._open(name, offset)
            if missing <= 0:
                return

    def seek_time(self, stamp: str) -> None:
        """Go to the first line that is not older."""
        wanted = stamp.encode()
        for name in self._names_from_newest():
            offset = _find_time(name, wanted)
            self._open(name, offset)
            if offset:
                return

    def read(self) -> tuple[list[LogLine], bool]:
        """The lines of the next block, and whether there may be more at once."""
        if self._descriptor == -1 and not self._open_oldest():
            return [], False
        chunk = os.read(self._descriptor, BLOCK_BYTES)
        if not chunk:
            return [], self._advance()
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        self._rest = data[end:] if len(data) - end <= 2 * MAX_TEXT_BYTES else b""
        lines: list[LogLine] = []
        for raw in data[:end].split(b"\n"):
            line = self._take(raw)
            if line is not None:
                lines.append(line)
        return lines, True

    def close(self) -> None:
        """Close the file; the next reading begins with the oldest again."""
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, raw: bytes) -> LogLine | None:
        fields = raw.split(b" ", _FIELDS - 1)
        if len(fields) != _FIELDS:
            return None
        stamp, stream, mark, text = fields
        pending = self._parts.pop(stream, None)
        moment = stamp.decode("ascii", "replace")
        if pending is not None:
            moment = pending[0]
            text = pending[1] + text
        if mark == b"P" and len(text) < MAX_TEXT_BYTES:
            self._parts[stream] = (moment, text)
            return None
        return LogLine(
            time=moment,
            service=self._service,
            replica=self._replica,
            stream=stream.decode("ascii", "replace"),
            text=text.removesuffix(b"\r").decode(errors="replace"),
        )

    def _names_from_newest(self) -> list[str]:
        names = [self._path, *(f"{self._path}.{number}" for number in range(1, MAX_FILES))]
        return names[: next((at for at, name in enumerate(names) if not _exists(name)), MAX_FILES)]

    def _open(self, name: str, offset: int) -> bool:
        self.close()
        try:
            self._descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self._rest = b""
        return True

    def _open_oldest(self) -> bool:
        names = self._names_from_newest()
        return bool(names) and self._open(names[-1], 0)

    def _advance(self) -> bool:
        """Go on with the next newer file when this one was moved aside."""
        mine = os.fstat(self._descriptor)
        names = self._names_from_newest()
        newer = names
        for at, name in enumerate(names):
            if _is_same(name, mine):
                newer = names[:at]
                break
        here = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if newer:
            # Now that it has another name, nothing is added to it any more; before, something may have been.
            is_read = os.fstat(self._descriptor).st_size <= here
            return self._open(newer[-1], 0) if is_read else True
        if mine.st_size < here:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        return False


def render_stamp(seconds: float) -> str:
    """A time in seconds since the epoch, as log files write it."""
    whole, fraction = divmod(int(seconds * 1_000_000), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{fraction:06d}000Z"


def _exists(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110 - names are text here, thousands of times a minute


def _is_same(name: str, status: os.stat_result) -> bool:
    try:
        there = os.stat(name)  # noqa: PTH116 - names are text here
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (status.st_ino, status.st_dev)


def _find_tail(name: str, count: int) -> tuple[int, int]:
    """Where the last ``count`` lines of a file begin, and how many of them it does not have."""
    if count <= 0:
        return os.stat(name).st_size, 0  # noqa: PTH116 - names are text here
    with open(name, "rb") as file:  # noqa: PTH123 - names are text here
        end = file.seek(0, os.SEEK_END)
        carried = b""
        missing = count + 1
        while end:
            size = min(BLOCK_BYTES, end)
            end = file.seek(end - size)
            block = file.read(size) + carried
            starts = block.split(b"\n")
            # The first piece may have begun in the block before.
            carried = starts[0] if end else b""
            at = end + len(block)
            for piece in reversed(starts[1:] if end else starts):
                at -= len(piece)
                if piece:
                    missing -= _ends_line(piece)
                    if missing == 0:
                        return at + len(piece) + 1, 0
                at -= 1
            if len(carried) > 2 * MAX_TEXT_BYTES:
                carried = b""
    return 0, missing - 1


def _ends_line(raw: bytes) -> bool:
    return b" F " in raw[:_MAX_HEAD_BYTES]


def _find_time(name: str, stamp: bytes) -> int:
    """The offset of the first line of a file that is not older; 0 when all are newer."""
    with open(name, "rb") as file:  # noqa: PTH123 - names are text here
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.readline()
            line = file.readline()
            if line and line.partition(b" ")[0] < stamp:
                low = middle + 1
            else:
                high = middle
        file.seek(low)
        if low:
            file.readline()
        return file.tell()
