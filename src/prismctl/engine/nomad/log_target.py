"""One of our log files with everything that flows into it, and a record by which copying goes on after a crash.

The record says how far each stream has come, beside the size that the file then had: after a crash the file is cut
to that size and the rest copied again, so nothing is lost or doubled.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

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
    """A log file of ours, cut to what its record knows of when it is opened."""

    def __init__(self, path: Path, record: Path) -> None:
        self._record = record
        recorded = _load_record(record)
        if recorded:
            _cut(path, recorded["inode"], recorded["size"])
        self._positions: dict[str, list[int]] = recorded.get("streams", {})
        """By source, also of streams that are not followed again yet."""
        self._streams: dict[str, LogStream] = {}
        self._log = LogFile(str(path), max_bytes=MAX_LOG_BYTES, max_files=MAX_LOG_FILES)

    def position(self, source: str) -> tuple[int, int]:
        """How far a source has been copied."""
        index, offset = self._positions.get(source, (0, 0))
        return index, offset

    def attach(self, source: str, stream: LogStream) -> None:
        """Record how far this stream comes from now on."""
        self._streams[source] = stream

    def detach(self, source: str) -> None:
        """Keep the last recorded position of a stream that has ended."""
        self._streams.pop(source, None)

    def write(self, lines: bytes) -> None:
        """Append whole lines; they are not recorded yet."""
        self._log.write(lines)

    def save_record(self) -> None:
        """Write down how far everything that flows into the file has come, and how long it is now."""
        for source, stream in self._streams.items():
            self._positions[source] = list(stream.position)
        ended = [source for source in self._positions if source not in self._streams]
        for source in ended[:-_REMEMBERED]:
            del self._positions[source]
        descriptor = self._log.descriptor
        if descriptor is None:
            return
        status = os.fstat(descriptor)
        content = json.dumps(
            {"inode": status.st_ino, "size": status.st_size, "streams": self._positions}
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


def _load_record(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        streams = {str(name): [int(a), int(b)] for name, (a, b) in data["streams"].items()}
        return {"inode": int(data["inode"]), "size": int(data["size"]), "streams": streams}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _cut(path: Path, inode: int, size: int) -> None:
    """Take away what was written after the record: it will be copied again."""
    for candidate in (path, path.with_name(f"{path.name}.1")):
        try:
            status = candidate.stat()
        except OSError:
            continue
        if status.st_ino != inode:
            continue
        if status.st_size > size:
            os.truncate(candidate, size)
        if candidate != path:
            # The present file was begun after the record, in the same step.
            path.unlink(missing_ok=True)
            candidate.replace(path)
        return
