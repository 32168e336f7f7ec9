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
from prismctl.files.log_files import LogFiles, is_current
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
        with LogFiles(self._path) as files:
            for descriptor in files.descriptors:
                offset, missing = find_tail(descriptor, missing)
                self._use(descriptor, offset)
                if missing <= 0:
                    return

    def seek_time(self, stamp: str) -> None:
        """Go to the first line that is not older."""
        wanted = stamp.encode()
        with LogFiles(self._path) as files:
            for descriptor in files.descriptors:
                offset = find_time(descriptor, wanted)
                self._use(descriptor, offset)
                if offset:
                    return

    def seek_after(self, sequence: str) -> None:
        """Go behind the line of this sequence; to the oldest line when its file is gone.

        Raises:
            ValueError: this is no sequence.
        """
        with LogFiles(self._path) as files:
            self._seek_after(sequence, files)

    def _seek_after(self, sequence: str, files: LogFiles) -> None:
        match = _SEQUENCE.fullmatch(sequence)
        if match is None:
            raise ValueError(sequence)
        file, offset, earlier_file, earlier_offset = match.groups()
        # A line of the other stream was unfinished there: its beginning has to be read once more.
        begins = [(earlier_file, earlier_offset)] if earlier_file else []
        known = {_identify(descriptor): descriptor for descriptor in files.descriptors}
        for wanted_file, wanted_offset in (*begins, (file, offset)):
            if wanted_file in known:
                self._use(known[wanted_file], int(wanted_offset) - _FIRST)
                if earlier_file:
                    self._known = (file, int(offset), earlier_file)
                return
        if files.descriptors:
            self._use(files.descriptors[-1], 0)
            self._note_skip(file, offset=int(offset) - _FIRST)

    def skip_to_tail(self, count: int) -> None:
        """Leave out all that comes but the last ``count`` lines, at least one; how many those were is told before them."""
        with LogFiles(self._path) as files:
            if self._file:
                self._seek_after(f"{self._file}-{self._offset}", files)
            elif files.descriptors:
                self._use(files.descriptors[-1], 0)
                self._note_skip(_NO_FILE)
            own = None if self._descriptor == -1 else files.find(self._descriptor)
            if own is None:
                return
            unread = files.descriptors[: own + 1]
            begins = [0] * own + [self._offset - _FIRST]
            missing = max(1, count)
            for at, descriptor in enumerate(unread):
                end, missing = find_tail(descriptor, missing)
                if missing > 0:
                    continue
                if end > begins[at] or at < own:
                    ends = [end, *[None] * (own - at)]
                    self._leave_unread(
                        descriptor, end, list(zip(unread[at:], begins[at:], ends, strict=True))
                    )
                return

    def read(self) -> tuple[list[LogLine], bool]:
        """The lines of the next block, and whether there may be more at once."""
        if self._descriptor == -1 and not self._open_oldest():
            return [], False
        if self._missing is not None:
            missing, self._missing = self._missing, None
            return [self._render_missing(missing)], True
        chunk = os.pread(self._descriptor, BLOCK_BYTES, self._position)
        if not chunk:
            return [], self._advance()
        if not self._file:
            self._file = _identify(self._descriptor)
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

    @property
    def _position(self) -> int:
        """How far the open file is read, in bytes."""
        return self._offset - _FIRST + len(self._rest)

    def _use(self, descriptor: int, offset: int) -> None:
        """Go on in a file that somebody else opened and closes, where an entry begins."""
        self.close()
        self._descriptor = os.dup(descriptor)
        self._file = _identify(descriptor)
        self._offset = _FIRST + offset
        self._rest = b""

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
        self, descriptor: int, offset: int, parts: list[tuple[int, int, int | None]]
    ) -> None:
        """Go on at a place in a file; the parts before it are only counted."""
        counts = [count_lines(*part) for part in parts]
        self._use(descriptor, offset)
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
        with LogFiles(self._path) as files:
            if files.descriptors:
                self._use(files.descriptors[-1], 0)
            return bool(files.descriptors)

    def _advance(self) -> bool:
        """Go on with the next newer file when this one was moved aside."""
        if not is_current(self._path, self._descriptor):
            with LogFiles(self._path) as files:
                own = files.find(self._descriptor)
                newer = files.descriptors[:own]
                if newer:
                    return self._advance_to(newer[-1], is_next=own is not None)
        if os.fstat(self._descriptor).st_size < self._position:
            self._file, self._offset, self._rest = "", _FIRST, b""
        return False

    def _advance_to(self, newer: int, *, is_next: bool) -> bool:
        # Now that there is a newer one, nothing is added to this any more; before, something may have been.
        if os.fstat(self._descriptor).st_size <= self._position:
            file = self._file
            self._use(newer, 0)
            if not is_next:
                self._note_skip(file)
        return True


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


def _identify(descriptor: int) -> str:
    """By what a file is known: the time of its first entry, in digits, and its inode; empty while it has no entry."""
    head = os.pread(descriptor, _STAMP_BYTES, 0)
    if len(head) < _STAMP_BYTES:
        return ""
    # Where somebody else wrote first, the inode alone has to do, as long as the file stays.
    began = head.translate(None, b"-T:.Z ").decode() if _STAMP.match(head) else "0" * 23
    return f"{began}.{os.fstat(descriptor).st_ino:x}"
