"""One of our log files with everything that flows into it, and a record by which copying goes on after a crash.

The record is written ahead: how far each stream has been copied, where the file then ends, and how far its stream will
have come once what is about to be added is there. After a crash, what the file has beyond that end tells how much of it
is; the rest is copied. So nothing is lost, doubled, or taken away again from somebody who has read it.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.engine.nomad.log_stream import LogStream

MAX_LOG_BYTES: Final = 16 * 1024 * 1024
MAX_LOG_FILES: Final = 4
"""The same caps that the keeper has for what it runs."""
_REMEMBERED: Final = 32
"""Of how many streams that ended the position is kept, so that none is copied twice after a restart of ours."""


class LogTarget:
    """A log file of ours; copying goes on where an earlier one was interrupted."""

    def __init__(self, path: Path, record: Path) -> None:
        self._record = record
        self._positions = _recover_positions(path, record)
        """How far each source has been copied, also of streams that are not followed again yet."""
        self._streams: dict[str, LogStream] = {}
        self._log = LogFile(
            str(path), max_bytes=MAX_LOG_BYTES, max_files=MAX_LOG_FILES, counts_removed=True
        )

    def position(self, source: str) -> tuple[int, int]:
        """How far a source has been copied."""
        return self._positions.get(source, (0, 0))

    def attach(self, source: str, stream: LogStream) -> None:
        """This stream flows into the file from now on."""
        self._streams[source] = stream

    def detach(self, source: str) -> None:
        """Keep the last position of a stream that has ended."""
        self._streams.pop(source, None)

    def write(self, source: str, lines: bytes) -> None:
        """Append whole lines that were just taken from the stream of a source."""
        position = self._streams[source].position
        self._save_record(_Step(source, position, count_copied(lines)))
        self._log.write(lines)
        self._positions[source] = position

    def save_record(self) -> None:
        """Write down how far everything that flows into the file has come, without anything about to be added."""
        self._save_record(None)

    def _save_record(self, step: _Step | None) -> None:
        ended = [source for source in self._positions if source not in self._streams]
        for source in ended[:-_REMEMBERED]:
            del self._positions[source]
        end = self._log.find_end()
        if end is None:
            return
        content = json.dumps(
            {"inode": end[0], "size": end[1], "streams": self._positions, "next": step}
        )
        # Against a crash of ours, not of the machine: flushing would cost more than all the rest.
        temporary = self._record.with_suffix(".new")
        with contextlib.suppress(OSError):
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(self._record)

    def close(self) -> None:
        """Let go of the file and of whatever still flows into it."""
        self._log.close()
        for stream in self._streams.values():
            stream.close()


class _Step(NamedTuple):
    """What is about to be added to the file."""

    source: str
    position: tuple[int, int]
    """Of the source, afterwards."""
    bytes: int
    """How much of the source that is."""


class _Record(NamedTuple):
    inode: int
    size: int
    streams: dict[str, tuple[int, int]]
    step: _Step | None


def count_copied(lines: bytes) -> int:
    """How many bytes of a source stand in whole lines of ours; the end that an unfinished last line lacks is counted."""
    count = 0
    for line in lines.split(b"\n")[:-1]:
        _, _, mark, text = line.split(b" ", 3)
        count += len(text) + (mark == b"F")
    return count


def _recover_positions(path: Path, record: Path) -> dict[str, tuple[int, int]]:
    recorded = _load_record(record)
    if recorded is None:
        return {}
    added = _take_added(path, recorded)
    positions = recorded.streams
    if recorded.step is not None and added:
        source, (index, offset), whole = recorded.step
        # A line is copied with what came of it in an earlier file of the source: the rest is in the last one.
        positions[source] = (index, offset - max(0, whole - count_copied(added)))
    return positions


def _take_added(path: Path, recorded: _Record) -> bytes:
    """The whole lines that were added after the record was written; half a line is taken away."""
    newest_first = (path, path.with_name(f"{path.name}.1"))
    for at, candidate in enumerate(newest_first):
        try:
            status = candidate.stat()
        except OSError:
            continue
        if status.st_ino != recorded.inode:
            continue
        added = _read_whole_lines(candidate, recorded.size)
        # The present file was begun after the record, in the same step.
        return added + _read_whole_lines(path, 0) if at else added
    return b""


def _read_whole_lines(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
    except OSError:
        return b""
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, start + len(whole))
    return whole


def _load_record(path: Path) -> _Record | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        streams = {str(name): (int(a), int(b)) for name, (a, b) in data["streams"].items()}
        step = data.get("next")
        if step is not None:
            source, (index, offset), count = step
            step = _Step(str(source), (int(index), int(offset)), int(count))
        return _Record(int(data["inode"]), int(data["size"]), streams, step)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
