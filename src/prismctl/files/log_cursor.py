"""A place in the output of one instance, which survives rotation, and can be found again by anybody.

A line of a log file is ``2026-01-02T03:04:05.678901234Z stdout F text``; ``P`` in place of ``F`` says that the
line goes on in the next entry of the same stream. The current file is ``PATH``, the one before it ``PATH.1``
and so on. Files only grow, so a file is known by the time of its first entry and its inode whatever it is called by
now, and these with an offset are a sequence which costs the writer nothing.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from prismctl.domain.redaction import NOTHING_HIDDEN
from prismctl.files.log_line import SKIPPED, LogLine, Missing, describe_skip
from prismctl.files.log_search import (
    BLOCK_BYTES,
    MAX_TEXT_BYTES,
    count_lines,
    find_tail,
    find_time,
)

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.redaction import Redactor

MAX_FILES: Final = 32
"""How many rotated files are looked for."""
LOG_SUFFIX: Final = ".log"
GONE_SUFFIX: Final = ".gone"
"""Of the file that says how much was in those that were removed; the keeper writes it."""
_GONE_ENTRY: Final = re.compile(rb"(\S+) ([0-9a-f]+) (\d+) (\d+)")

_WHOLE_LINES: Final = re.compile(r"^(.{30}) (stdout|stderr) F (.*)$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"([\dT:.Z-]{30}) (stdout|stderr) ([FP]) ")
_IS_STAMP: Final = re.compile(r"[\dT:.Z-]{30}").fullmatch
_HEAD_BYTES: Final = len("2026-01-02T03:04:05.678901234Z stdout F \n")
"""What an entry has beside its text; both streams' names are of one length."""
_STAMP: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
_STAMP_BYTES: Final = 31
_FIRST: Final = 10_000_000_000
"""Offsets count from here: so all of them have as many digits and are in order as text, without being formatted."""
_NO_FILE: Final = ""
_PLACE: Final = r"(\d{23}\.[0-9a-f]+)-(1\d{10})"
_SEQUENCE: Final = re.compile(rf"{_PLACE}(?:~{_PLACE})?")


class LogCursor:
    """A place in the output of one instance, which survives rotation."""

    def __init__(self, path: Path, redactor: Redactor = NOTHING_HIDDEN) -> None:
        self._path = str(path)
        self._redactor = redactor
        service, _, replica = path.name.removesuffix(LOG_SUFFIX).partition("#")
        self._service = service
        self._replica = int(replica) if replica.isdigit() else 0
        self._descriptor = -1
        self._file = ""
        """Names the open file in sequences; empty until its first entry is there."""
        self._offset = _FIRST
        """Where in it the next entry begins, counted from `_FIRST`; ``_rest`` is what has been read of it."""
        self._rest = b""
        self._parts: dict[str, tuple[str, str, bytes]] = {}
        """By stream: when a line began that is not whole yet, the place where, and its text."""
        self._known: tuple[str, int, str] | None = None
        """While lines are read once more: the file and the offset up to which all have been had, and the file before
        it in which the reading began."""
        self._missing: Missing | None = None
        """What comes before the next line and is not read; told before it."""

    def seek_tail(self, count: int) -> None:
        """Go to where the last ``count`` lines begin."""
        missing = count
        for name in self._names_from_newest():
            offset, missing = find_tail(name, missing)
            self._open(name, offset)
            if missing <= 0:
                return

    def seek_time(self, stamp: str) -> None:
        """Go to the first line that is not older."""
        wanted = stamp.encode()
        for name in self._names_from_newest():
            offset = find_time(name, wanted)
            self._open(name, offset)
            if offset:
                return

    def seek_after(self, sequence: str) -> None:
        """Go behind the line of this sequence; to the oldest line when its file is gone.

        Raises:
            ValueError: this is no sequence.
        """
        match = _SEQUENCE.fullmatch(sequence)
        if match is None:
            raise ValueError(sequence)
        file, offset, earlier_file, earlier_offset = match.groups()
        # A line of the other stream was unfinished there: its beginning has to be read once more.
        begins = [(earlier_file, earlier_offset)] if earlier_file else []
        for wanted_file, wanted_offset in (*begins, (file, offset)):
            for name in self._names_from_newest():
                if _identify(name) == wanted_file and self._open(name, int(wanted_offset) - _FIRST):
                    if earlier_file:
                        self._known = (file, int(offset), earlier_file)
                    return
        if self._open_oldest():
            self._note_skip(file, offset=int(offset) - _FIRST)

    def skip_to_tail(self, count: int) -> None:
        """Leave out all that comes but the last ``count`` lines, at least one; how many those were is told before them."""
        place = f"{self._file}-{self._offset}" if self._file else ""
        missing = self._missing
        # Files that are moved aside meanwhile have other names in the middle of it.
        while not self._try_to_skip(place, max(1, count)):
            self._missing = missing

    def _try_to_skip(self, place: str, count: int) -> bool:
        """Whether no file was moved aside while their names were used."""
        if place:
            self.seek_after(place)
        elif self._open_oldest():
            self._note_skip(_NO_FILE)
        if self._descriptor == -1:
            return True
        names, mine = self._names_from_newest(), os.fstat(self._descriptor)
        own = next((at for at, name in enumerate(names) if _is_same(name, mine)), None)
        if own is None:
            return not names
        begin = self._offset - _FIRST
        try:
            for name in names[: own + 1]:
                end, count = find_tail(name, count)
                if count <= 0:
                    break
            else:
                return True
        except FileNotFoundError:
            return False
        if name != names[own] or begin < end:
            self._leave_unread(
                name,
                end,
                [
                    (each, begin if each == names[own] else 0, end if each == name else None)
                    for each in names[names.index(name) : own + 1]
                ],
            )
        return _is_same(names[own], mine)

    def read(self) -> tuple[list[LogLine], bool]:
        """The lines of the next block, and whether there may be more at once."""
        if self._descriptor == -1 and not self._open_oldest():
            return [], False
        if self._missing is not None:
            missing, self._missing = self._missing, None
            return [self._render_missing(missing)], True
        chunk = os.read(self._descriptor, BLOCK_BYTES)
        if not chunk:
            return [], self._advance()
        if not self._file:
            self._file = _identify_open(self._descriptor)
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        lines = self._take(data[: end - 1]) if end else []
        self._rest = data[end:]
        if len(self._rest) > 2 * MAX_TEXT_BYTES:
            # No entry is that long.
            self._offset += len(self._rest)
            self._rest = b""
        return (self._leave_out(lines) if self._known else lines), True

    def close(self) -> None:
        """Close the file; the next reading begins with the oldest again."""
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, data: bytes) -> list[LogLine]:
        """The lines that whole entries make."""
        if self._redactor.finds(data) or self._parts or b"\r" in data or not data.isascii():
            return self._take_each(data)
        text = data.decode("ascii")
        entries = _WHOLE_LINES.findall(text)
        are_lines = len(entries) == text.count("\n") + 1
        if not are_lines or not all(map(_IS_STAMP, {moment for moment, _, _ in entries})):
            return self._take_each(data)
        # Nothing special in the whole block, as nearly always: a third of the time.
        file, offset, service, replica = self._file, self._offset, self._service, self._replica
        prefix = f"{file}-"
        make = tuple.__new__
        lines = [
            make(
                LogLine,
                (
                    moment,
                    service,
                    replica,
                    stream,
                    words,
                    f"{prefix}{(offset := offset + len(words) + _HEAD_BYTES)}",
                ),
            )
            for moment, stream, words in entries
        ]
        self._offset = offset
        return lines

    def _take_each(self, data: bytes) -> list[LogLine]:
        lines: list[LogLine] = []
        end = self._offset
        hides = self._redactor.finds(data)
        for raw in data.split(b"\n"):
            begin = end
            end += len(raw) + 1
            match = _ENTRY.match(raw)
            if match is None:
                continue
            moment, stream, mark = match[1].decode(), match[2].decode(), match[3]
            text = raw[match.end() :]
            if mark == b"P" or self._parts:
                line = self._join(moment, stream, text, places=(begin, end), goes_on=mark == b"P")
                if line is not None:
                    lines.append(line)
                continue
            if hides:
                text = self._redactor.hide(text)
            sequence = f"{self._file}-{end}"
            lines.append(
                LogLine(moment, self._service, self._replica, stream, _decode_text(text), sequence)
            )
        self._offset = end
        return lines

    def _join(
        self, moment: str, stream: str, text: bytes, *, places: tuple[int, int], goes_on: bool
    ) -> LogLine | None:
        """The line that an entry completes, while there are lines in parts."""
        begin, end = places
        pending = self._parts.pop(stream, None)
        started = f"{self._file}-{begin}"
        went_on = False
        if pending is not None:
            went_on = not pending[2]
            moment, started, text = pending[0], pending[1], pending[2] + text
        if goes_on and len(text) < MAX_TEXT_BYTES:
            self._parts[stream] = (moment, started, text)
            return None
        sequence = f"{self._file}-{end}"
        if others := [part[1] for part in self._parts.values()]:
            sequence = f"{sequence}~{min(others)}"
        if goes_on:
            self._parts[stream] = (moment, f"{self._file}-{end}", b"")
        text = self._redactor.hide(text, goes_on=goes_on, went_on=went_on)
        return LogLine(moment, self._service, self._replica, stream, _decode_text(text), sequence)

    def _leave_out(self, lines: list[LogLine]) -> list[LogLine]:
        """Only what has not been had before."""
        assert self._known is not None  # noqa: S101 - the caller looked
        last_file, last_offset, first_file = self._known
        new = []
        for line in lines:
            file, _, offset = line.sequence.partition("~")[0].rpartition("-")
            # Those of files in between begin with when they began.
            is_before = file == first_file or file < last_file
            is_known = int(offset) <= last_offset if file == last_file else is_before
            if not is_known:
                new.append(line)
        if new:
            self._known = None
        return new

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
        self._file = _identify_open(self._descriptor)
        self._offset = _FIRST + offset
        self._rest = b""
        return True

    def _note_skip(self, file: str, *, offset: int | None = None) -> None:
        """Find out how much was written between a file that is gone and the one that is open now.

        ``offset`` is how far that file was read; all of it, when none is given. Before `_NO_FILE`, nothing was written.
        """
        gone = _read_gone(self._path)
        before_all = -1 if file == _NO_FILE else None
        at = next((at for at, each in enumerate(gone) if each[0] == file), before_all)
        if at is None:
            # Not moved out by what came after it: somebody emptied the directory, and nothing is missing.
            return
        missing_bytes, missing_lines, is_exact = 0, 0, True
        if offset is not None and offset < gone[at][1]:
            missing_bytes, is_exact = gone[at][1] - offset, False
        for name, size, lines in gone[at + 1 :]:
            if name == self._file:
                break
            missing_bytes += size
            missing_lines += lines
        self._parts.clear()
        self._add_missing(missing_bytes, missing_lines if is_exact else None, is_gone=True)

    def _leave_unread(
        self, name: str, offset: int, parts: list[tuple[str, int, int | None]]
    ) -> None:
        """Go on at a place in a file; the parts before it are only counted."""
        counts = [count_lines(*part) for part in parts]
        if self._open(name, offset):
            self._parts.clear()
            self._known = None
            self._add_missing(
                sum(size for size, _ in counts), sum(lines for _, lines in counts), is_gone=False
            )

    def _add_missing(self, size: int, lines: int | None, *, is_gone: bool) -> None:
        missing = self._missing
        if not size:
            return
        if missing is not None:
            size += missing.bytes
            lines = None if lines is None or missing.lines is None else lines + missing.lines
            is_gone = is_gone and missing.is_gone
        self._missing = Missing(size, lines, is_gone)

    def _render_missing(self, missing: Missing) -> LogLine:
        """What is missing, in the place of the line before the next one, at the time of that."""
        head = os.pread(self._descriptor, _STAMP_BYTES - 1, self._offset - _FIRST)
        return LogLine(
            head.decode(errors="replace"),
            self._service,
            self._replica,
            SKIPPED,
            describe_skip(missing),
            f"{self._file}-{self._offset}",
        )

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
            if not is_read:
                return True
            # While it has a name, the next newer one is what was written after it.
            mine_is_gone, file = newer is names, self._file
            is_open = self._open(newer[-1], 0)
            if is_open and mine_is_gone:
                self._note_skip(file)
            return is_open
        if mine.st_size < here:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self._file, self._offset, self._rest = "", _FIRST, b""
        return False


def _read_gone(path: str) -> list[tuple[str, int, int]]:
    """The files of a log that were removed, oldest first: by what each was known, its bytes, its lines."""
    try:
        with open(f"{path}{GONE_SUFFIX}", "rb") as file:  # noqa: PTH123 - names are text here
            entries = file.read().splitlines()
    except OSError:
        return []
    gone = []
    for entry in entries:
        match = _GONE_ENTRY.fullmatch(entry)
        if match is not None:
            stamp, inode, size, lines = match.groups()
            known_by = f"{stamp.translate(None, b'-T:.Z').decode():0<23}.{inode.decode()}"
            gone.append((known_by, int(size), int(lines)))
    return gone


def _decode_text(text: bytes) -> str:
    return text.removesuffix(b"\r").decode(errors="replace")


def _exists(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110 - names are text here, thousands of times a minute


def _is_same(name: str, status: os.stat_result) -> bool:
    try:
        there = os.stat(name)  # noqa: PTH116 - names are text here
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (status.st_ino, status.st_dev)


def _identify(name: str) -> str:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return _identify_open(descriptor)
    finally:
        os.close(descriptor)


def _identify_open(descriptor: int) -> str:
    """By what a file is known: the time of its first entry, in digits, and its inode; empty while it has no entry."""
    head = os.pread(descriptor, _STAMP_BYTES, 0)
    if len(head) < _STAMP_BYTES:
        return ""
    # Where somebody else wrote first, the inode alone has to do, as long as the file stays.
    began = head.translate(None, b"-T:.Z ").decode() if _STAMP.match(head) else "0" * 23
    return f"{began}.{os.fstat(descriptor).st_ino:x}"
