"""Reads what the keeper wrote: parsing, the last lines, lines since a time, following across rotation.

Everything here is synchronous, takes bounded memory whatever is in the files, and never shows half a line.
The format is described in ``keeper/logs.py``.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

READ_BYTES: Final = 1024 * 1024
"""How much ``read_new`` takes at a time; longer than any line the keeper writes."""
MAX_TAIL_BYTES: Final = 16 * 1024 * 1024
"""How far back ``find_tail`` goes, however few lines that is."""

_BLOCK_BYTES: Final = 64 * 1024
_TIME_BYTES: Final = len("2026-01-02T03:04:05.678901234Z")
_STREAMS: Final = {b"stdout": "stdout", b"stderr": "stderr"}


class LogLine(NamedTuple):
    """One entry of a log file."""

    time: str
    """UTC with nanoseconds, always as long, so that it sorts as text; empty for a line of another format."""
    stream: str
    """``stdout`` or ``stderr``."""
    partial: bool
    """The line goes on in the next entry of the same stream."""
    text: str
    """Without the line end; bytes that are no UTF-8 show as U+FFFD."""


class LogPosition(NamedTuple):
    """A place between two lines that stays right when files are rotated."""

    first_time: str = ""
    """When the file's first line was read: by this a file is known under every name."""
    offset: int = 0
    """Counted in bytes from the file's beginning."""
    inode: int = 0
    """Tells apart files that began at the same time; 0: unknown."""


class _Piece(NamedTuple):
    """One file of a log, open."""

    descriptor: int
    inode: tuple[int, int]
    first_time: str


def parse_line(line: bytes) -> LogLine:
    """One line, with or without its end; what is not in the format is text of standard output."""
    line = line.removesuffix(b"\n")
    parts = line.split(b" ", 3)
    if len(parts) == 4 and len(parts[0]) == _TIME_BYTES:  # noqa: PLR2004 - time, stream, tag, text
        stream = _STREAMS.get(parts[1])
        if stream is not None and parts[2] in (b"F", b"P"):
            text = parts[3].decode(errors="replace")
            return LogLine(parts[0].decode(errors="replace"), stream, parts[2] == b"P", text)
    return LogLine("", "stdout", partial=False, text=line.decode(errors="replace"))


def read_tail(path: Path | str, lines: int) -> list[LogLine]:
    """The last lines, over rotated files; fewer when there are fewer or they are very long."""
    with LogReader(path, find_tail(path, lines)) as reader:
        found: list[LogLine] = []
        while new := reader.read_new():
            found += new
        return found[-lines:] if lines > 0 else []


def find_tail(path: Path | str, lines: int) -> LogPosition:
    """The place ``lines`` lines before the end, to be read or followed from."""
    with _open_pieces(path) as pieces:
        missing, room = lines, MAX_TAIL_BYTES
        position = LogPosition()
        for number, piece in enumerate(reversed(pieces)):
            size = os.fstat(piece.descriptor).st_size
            end = _last_line_end(piece.descriptor, size) if not number else size
            offset, missing = _go_back(piece.descriptor, end, missing, max(0, end - room))
            room -= end - offset
            position = LogPosition(piece.first_time, offset, piece.inode[1])
            if missing <= 0 or room <= 0:
                break
        return position


def find_time(path: Path | str, since: str) -> LogPosition:
    """The place of the first line that is not older than ``since`` (RFC 3339, UTC, any precision)."""
    with _open_pieces(path) as pieces:
        if not pieces:
            return LogPosition()
        chosen = pieces[0]
        for piece in pieces[1:]:
            if piece.first_time and _is_before(piece.first_time, since):
                chosen = piece
        return LogPosition(chosen.first_time, _bisect(chosen.descriptor, since), chosen.inode[1])


class LogReader:
    """Reads a log from a place onwards, whatever is appended and however it is rotated meanwhile.

    Holds one file open. ``close`` it, or use it as a context manager.
    """

    def __init__(self, path: Path | str, position: LogPosition | None = None) -> None:
        self._path = os.fspath(path)
        self._piece: _Piece | None = None
        self._offset = 0
        self._wanted = position
        """Where to begin; without one at the oldest line there is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def position(self) -> LogPosition:
        """Where the next line will come from."""
        if self._piece is None:
            return self._wanted or LogPosition()
        first_time = self._piece.first_time or _read_first_time(self._piece.descriptor)
        return LogPosition(first_time, self._offset, self._piece.inode[1])

    def read_new(self, max_bytes: int = READ_BYTES) -> list[LogLine]:
        """The lines since the last call, about ``max_bytes`` of them; empty when there are none yet."""
        data = self.read_raw(max_bytes)
        return [parse_line(line) for line in data.removesuffix(b"\n").split(b"\n")] if data else []

    def read_raw(self, max_bytes: int = READ_BYTES) -> bytes:
        """As ``read_new``, but the whole lines as they are in the file."""
        if self._piece is None and not self._open_first():
            return b""
        while True:
            data = self._read_whole_lines(max_bytes)
            if data:
                return data
            # The writer never returns to a file it has moved aside, so after this is seen
            # what the file holds is final.
            following = self._following()
            data = self._read_whole_lines(max_bytes)
            if data or following is None:
                if following is not None:
                    os.close(following.descriptor)
                return data
            rest = self._read_torn_end()
            self._move_to(following, 0)
            if rest:
                return rest

    def close(self) -> None:
        """Let go of the file."""
        if self._piece is not None:
            self._wanted = self.position
            os.close(self._piece.descriptor)
            self._piece = None

    def _read_whole_lines(self, max_bytes: int) -> bytes:
        assert self._piece is not None  # noqa: S101 - only called with a file open
        data = os.pread(self._piece.descriptor, max_bytes, self._offset)
        if not data and os.fstat(self._piece.descriptor).st_size < self._offset:
            # Somebody emptied the file.
            self._offset = 0
            data = os.pread(self._piece.descriptor, max_bytes, 0)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == max_bytes:
            # A line longer than may be read: in pieces, rather than never.
            end = len(data)
        self._offset += end
        return data[:end]

    def _read_torn_end(self) -> bytes:
        assert self._piece is not None  # noqa: S101 - only called with a file open
        return os.pread(self._piece.descriptor, READ_BYTES, self._offset)

    def _open_first(self) -> bool:
        with _open_pieces(self._path) as pieces:
            if not pieces:
                return False
            wanted = self._wanted
            chosen, offset = pieces[0], 0
            if wanted is not None and wanted.first_time:
                same = [piece for piece in pieces if piece.first_time == wanted.first_time]
                same.sort(key=lambda piece: piece.inode[1] == wanted.inode)
                if same:
                    chosen, offset = same[-1], wanted.offset
            self._move_to(chosen._replace(descriptor=os.dup(chosen.descriptor)), offset)
        return True

    def _following(self) -> _Piece | None:
        """The file that comes after the one being read; ``None`` while that is the newest."""
        assert self._piece is not None  # noqa: S101 - only called with a file open
        with contextlib.suppress(OSError):
            newest = os.stat(self._path)
            if (newest.st_dev, newest.st_ino) == self._piece.inode:
                return None
        with _open_pieces(self._path) as pieces:
            inodes = [piece.inode for piece in pieces]
            if self._piece.inode in inodes:
                later = pieces[inodes.index(self._piece.inode) + 1 :]
            else:
                # Rotated out of existence while nobody read, or removed by somebody.
                began = self.position.first_time
                later = [each for each in pieces if not each.first_time or each.first_time > began]
            return later[0]._replace(descriptor=os.dup(later[0].descriptor)) if later else None

    def _move_to(self, piece: _Piece, offset: int) -> None:
        if self._piece is not None:
            os.close(self._piece.descriptor)
        self._piece, self._offset = piece, offset


@contextlib.contextmanager
def _open_pieces(path: Path | str) -> Iterator[list[_Piece]]:
    """All files of a log, oldest first, none missing and none twice, even if rotated in between."""
    pieces: list[_Piece] = []
    with contextlib.ExitStack() as opened:
        while True:
            names = _piece_names(os.fspath(path))
            pieces = [_open_piece(name, opened) for name in names]
            found = [piece.inode for piece in pieces if piece.descriptor >= 0]
            if found == _inodes(_piece_names(os.fspath(path))) and len(found) == len(names):
                break
            opened.close()
        yield pieces


def _piece_names(path: str) -> list[str]:
    names = []
    number = 1
    while os.path.exists(f"{path}.{number}"):
        names.append(f"{path}.{number}")
        number += 1
    names.reverse()
    return [*names, path] if os.path.exists(path) else names


def _inodes(names: list[str]) -> list[tuple[int, int]]:
    found = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            there = os.stat(name)
            found.append((there.st_dev, there.st_ino))
    return found


def _open_piece(name: str, opened: contextlib.ExitStack) -> _Piece:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _Piece(-1, (0, 0), "")
    opened.callback(os.close, descriptor)
    there = os.fstat(descriptor)
    return _Piece(descriptor, (there.st_dev, there.st_ino), _read_first_time(descriptor))


def _read_first_time(descriptor: int) -> str:
    data = os.pread(descriptor, _TIME_BYTES, 0)
    return data.decode(errors="replace") if len(data) == _TIME_BYTES else ""


def _last_line_end(descriptor: int, size: int) -> int:
    """Where the last whole line ends: a writer may be in the middle of one."""
    end = size
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _go_back(descriptor: int, end: int, lines: int, floor: int) -> tuple[int, int]:
    """The offset ``lines`` lines before ``end``, not below ``floor``, and how many lines are missing still."""
    if lines <= 0:
        return end, 0
    # The newline at the very end belongs to the last line: one more has to be found before the first wanted.
    missing = lines
    block_end = end - 1
    while block_end > floor:
        start = max(floor, block_end - _BLOCK_BYTES)
        data = os.pread(descriptor, block_end - start, start)
        count = data.count(b"\n")
        if count < missing:
            missing -= count
            block_end = start
            continue
        place = len(data)
        for _ in range(missing):
            place = data.rfind(b"\n", 0, place)
        return start + place + 1, 0
    if floor > 0:
        return floor + os.pread(descriptor, READ_BYTES, floor).find(b"\n") + 1, 0
    return 0, missing - 1 if end > 0 else missing


def _bisect(descriptor: int, since: str) -> int:
    """The offset of the first line that is not older than ``since``; lines are in the order of time."""
    low, high = 0, os.fstat(descriptor).st_size
    while high - low > _BLOCK_BYTES:
        middle = (low + high) // 2
        start, time = _next_line(descriptor, middle, high)
        if start >= high or (time and not _is_before(time, since)):
            high = middle
        else:
            low = start
    # What is left is looked at line by line.
    offset = low
    while True:
        data = os.pread(descriptor, READ_BYTES, offset)
        end = data.rfind(b"\n") + 1
        if not end:
            return offset
        for line in data[: end - 1].split(b"\n"):
            time = line[:_TIME_BYTES].decode(errors="replace")
            if time.endswith("Z") and not _is_before(time, since):
                return offset
            offset += len(line) + 1


def _next_line(descriptor: int, offset: int, end: int) -> tuple[int, str]:
    """Where the first line begins after ``offset``, and its time."""
    while offset < end:
        data = os.pread(descriptor, _BLOCK_BYTES, offset)
        found = data.find(b"\n")
        if found >= 0:
            start = offset + found + 1
            return start, os.pread(descriptor, _TIME_BYTES, start).decode(errors="replace")
        if not data:
            break
        offset += len(data)
    return end, ""


def _is_before(time: str, since: str) -> bool:
    # Whole seconds and shorter fractions compare as text once the zone's letter is gone.
    return time.rstrip("Z") < since.rstrip("Z")
