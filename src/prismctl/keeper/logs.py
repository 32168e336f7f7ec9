"""Output of kept processes on its way to a file: framed into lines, stamped, rotated, and never in the way.

A line of a log file is ``2026-01-02T03:04:05.678901234Z stdout F text``: the time it was read (UTC,
nanoseconds), the stream, ``F`` for a full line or ``P`` for a part of one that goes on in the next entry of
the same stream, and the bytes as they came. That is the format of container runtimes, so that their tools
read it too. The names are ``PATH`` (the current file), ``PATH.1`` (the one before it), ``PATH.2`` and so on. How much
was in those that are gone stands in ``PATH.gone``, an entry each: ``STAMP INODE BYTES LINES``, the first line's time and
the inode naming the file; who had not read it can tell by it how much was missed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from typing import BinaryIO, Final

MAX_TEXT_BYTES: Final = 256 * 1024
"""Longer lines are written in parts of this size."""
READ_BYTES: Final = 256 * 1024
"""The most that is taken from one pipe before others have their turn."""

GONE_SUFFIX: Final = ".gone"
_MAX_GONE_BYTES: Final = 64 * 1024
"""Entries of about a thousand files; the older half goes when there are more."""
_STAMP_BYTES: Final = 30
_PART: Final = re.compile(rb"^.{30} (?:stdout|stderr) P ", re.MULTILINE)
_NANOSECONDS: Final = 1_000_000_000
_NOT_WRITTEN: Final = -1


class Stamper:
    """Writes times as text; the part that changes once a second is kept."""

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def stamp(self, nanoseconds: int) -> bytes:
        """The time, given since the epoch, as ``2026-01-02T03:04:05.678901234Z``."""
        second, fraction = divmod(nanoseconds, _NANOSECONDS)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode()
        return b"%s%09dZ" % (self._text, fraction)


class LineFramer:
    """Turns the chunks of one stream into whole log lines; what is not a whole line yet waits here."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._rest = bytearray()

    def feed(self, chunk: bytes, stamp: bytes) -> bytes:
        """The log lines that ``chunk`` completes; at most ``READ_BYTES`` long."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._rest += chunk
            return self._cut(stamp)
        head = b"%s %s F " % (stamp, self._stream)
        lines = chunk[: end - 1].replace(b"\n", b"\n" + head)
        if not self._rest:
            self._rest += chunk[end:]
            return b"%s%s\n" % (head, lines)
        # Only the line that began earlier can be too long: a chunk alone is not.
        parts = self._cut(stamp, more=chunk.find(b"\n"))
        finished = b"%s%s%s%s\n" % (parts, head, self._rest, lines)
        self._rest[:] = chunk[end:]
        return finished

    def finish(self, stamp: bytes) -> bytes:
        """The unterminated last line, when there is one."""
        if not self._rest:
            return b""
        line = b"%s %s F %s\n" % (stamp, self._stream, self._rest)
        self._rest.clear()
        return line

    def _cut(self, stamp: bytes, more: int = 0) -> bytes:
        parts = b""
        while len(self._rest) + more > MAX_TEXT_BYTES and self._rest:
            parts += b"%s %s P %s\n" % (stamp, self._stream, self._rest[:MAX_TEXT_BYTES])
            del self._rest[:MAX_TEXT_BYTES]
        return parts


class LogFile:
    """A file that grows to a size and is then moved aside; when it cannot be written, lines are counted."""

    def __init__(
        self, path: str, *, max_bytes: int, max_files: int, counts_removed: bool = False
    ) -> None:
        """Nothing is opened yet.

        Args:
            path: the file that is written.
            max_bytes: of each file.
            max_files: how many there are, with those that were moved aside.
            counts_removed: how much was in a file that is removed is written down, for followers that come too late.
        """
        self.path = path
        self.max_bytes = max_bytes
        self._counts_removed = counts_removed
        self.max_files = max_files
        self.lost_lines = 0
        """Since the beginning."""
        self.is_losing = False
        """The last write did not work."""
        self.reason = ""
        """Why it did not."""
        self.times_opened = 0
        """Changes whenever ``descriptor`` means another file."""
        self._descriptor = _NOT_WRITTEN
        self._size = 0
        self._is_regular = True

    def write(self, lines: bytes) -> None:
        """Append whole lines; rotation happens between two of them, never within one."""
        rest = memoryview(lines)
        try:
            while rest:
                if self._descriptor == _NOT_WRITTEN:
                    self._open()
                taken = len(rest)
                if self._is_regular and self._size + taken > self.max_bytes:
                    room = max(self.max_bytes - self._size, 0)
                    start = len(lines) - len(rest)
                    taken = lines.rfind(b"\n", start, start + room) + 1 - start
                    if taken <= 0 and self._size:
                        self._rotate()
                        continue
                    if taken <= 0:
                        taken = lines.index(b"\n", start) + 1 - start
                rest = rest[self._append(rest[:taken]) :]
        except OSError as error:
            self.is_losing = True
            self.reason = error.strerror or str(error)
            self.lost_lines += bytes(rest).count(b"\n")
        else:
            self.is_losing = False

    def find_end(self) -> tuple[int, int] | None:
        """The inode of the current file and its size, after which the next lines go; ``None``: it cannot be opened."""
        try:
            if self._descriptor == _NOT_WRITTEN:
                self._open()
            return os.fstat(self._descriptor).st_ino, self._size
        except OSError:
            return None

    def ensure_current(self) -> None:
        """Go on in a new file when somebody removed or replaced the one in use."""
        if self._descriptor == _NOT_WRITTEN:
            return
        try:
            there = os.stat(self.path)
            is_current = os.path.samestat(there, os.fstat(self._descriptor))
        except OSError:
            is_current = False
        if not is_current:
            self.close()

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        if self._descriptor != _NOT_WRITTEN:
            os.close(self._descriptor)
            self._descriptor = _NOT_WRITTEN

    @property
    def descriptor(self) -> int | None:
        """The open file, for who wants to write there directly."""
        return None if self._descriptor == _NOT_WRITTEN else self._descriptor

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
        # What is no file but a pipe that nobody reads would hold up everybody.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(self.path, flags, 0o600)
        self.times_opened += 1
        found = os.fstat(self._descriptor)
        self._size = found.st_size
        self._is_regular = stat.S_ISREG(found.st_mode)
        self._end_torn_line()

    def _end_torn_line(self) -> None:
        """A writer that was killed may have left half a line; what follows must not be glued to it."""
        if not self._is_regular or not self._size:
            return
        with open(self.path, "rb") as there:
            there.seek(-1, os.SEEK_END)
            is_torn = there.read(1) != b"\n"
        if is_torn:
            self._append(memoryview(b"\n"))

    def _append(self, lines: memoryview) -> int:
        """Write everything or leave no torn line behind; the number of bytes that are there to stay."""
        written = 0
        try:
            while written < len(lines):
                count = os.write(self._descriptor, lines[written:])
                written += count
        except OSError:
            whole = bytes(lines[:written]).rfind(b"\n") + 1
            if whole != written:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._size + whole)
            self._size += whole
            if whole:
                return whole
            raise
        self._size += written
        return written

    def _rotate(self) -> None:
        self.close()
        oldest = f"{self.path}.{self.max_files - 1}" if self.max_files > 1 else self.path
        if self._counts_removed:
            note_removal(self.path, oldest)
        if self.max_files == 1:
            os.unlink(self.path)
            return
        for number in range(self.max_files - 1, 0, -1):
            older = self.path if number == 1 else f"{self.path}.{number - 1}"
            with contextlib.suppress(FileNotFoundError):
                os.rename(older, f"{self.path}.{number}")


def note_removal(log: str, name: str) -> None:
    """Write down how much is in a file of a log that is about to be removed; without it, nobody can say what is missing.

    Args:
        log: the path of the current file.
        name: of the file that goes.
    """
    try:
        with open(name, "rb") as file:
            stamp = file.read(_STAMP_BYTES)
            inode = os.fstat(file.fileno()).st_ino
            file.seek(0)
            lines, size = _measure(file)
    except OSError:
        # There is none.
        return
    entry = b"%s %x %d %d\n" % (stamp.replace(b" ", b"-") or b"-", inode, size, lines)
    with (
        contextlib.suppress(OSError),
        open(f"{log}{GONE_SUFFIX}", "ab", opener=_open_private) as gone,
    ):
        gone.write(entry)
        if gone.tell() > _MAX_GONE_BYTES:
            _halve(f"{log}{GONE_SUFFIX}")


def _measure(file: BinaryIO) -> tuple[int, int]:
    """How many lines and bytes there are."""
    lines = size = 0
    rest = b""
    while chunk := file.read(1 << 20):
        size += len(chunk)
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        lines += whole.count(b"\n")
        if b" P " in whole:
            lines -= len(_PART.findall(whole))
    return lines, size


def _halve(name: str) -> None:
    with open(name, "rb") as file:
        entries = file.read().splitlines(keepends=True)
    with open(f"{name}.new", "wb", opener=_open_private) as file:
        file.writelines(entries[len(entries) // 2 :])
    os.replace(f"{name}.new", name)


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CLOEXEC, 0o600)


class Pump:
    """Carries one stream of one run from its pipe to the log file."""

    def __init__(self, descriptor: int, stream: bytes, log: LogFile, stamper: Stamper) -> None:
        self.descriptor = descriptor
        """The reading end of the pipe, non-blocking; closed by ``close``."""
        self._log = log
        self._stamper = stamper
        self._framer = LineFramer(stream)
        self._is_large = False

    def pump(self) -> int | None:
        """Carry at most ``READ_BYTES``; how many it was, 0 when nothing was there, ``None`` at the end."""
        try:
            chunk = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return 0
        stamp = self._stamper.stamp(time.time_ns())
        lines = self._framer.feed(chunk, stamp) if chunk else self._framer.finish(stamp)
        if lines:
            self._log.write(lines)
        if not chunk:
            return None
        if not self._is_large and len(chunk) >= _DEFAULT_PIPE_BYTES:
            self._is_large = True
            _enlarge(self.descriptor)
        return len(chunk)

    def close(self) -> None:
        """Give the pipe up."""
        os.close(self.descriptor)


_DEFAULT_PIPE_BYTES: Final = 60 * 1024
_LARGE_PIPE_BYTES: Final = 1024 * 1024


def _enlarge(descriptor: int) -> None:
    """A pipe that was found full gets room; only such, because pipe memory is limited per user."""
    import fcntl

    resize = getattr(fcntl, "F_SETPIPE_SZ", None)
    if resize is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, resize, _LARGE_PIPE_BYTES)
