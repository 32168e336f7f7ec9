"""One output of one task, read from Nomad's rotated files and rendered in the keeper's format."""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.keeper.logs import Stamper

READ_BYTES: Final = 256 * 1024
"""The most that is taken from one stream before others have their turn; longer lines are written in parts."""


class LogStream:
    """The files ``TASK.stdout.N`` (or ``stderr``) as one stream of lines, with a position in it."""

    def __init__(
        self,
        directory: Path,
        task: str,
        label: str,
        position: tuple[int, int],
        stamper: Stamper,
    ) -> None:
        self._directory = directory
        self._prefix = f"{task}.{label}."
        self._label = label.encode()
        self._stamper = stamper
        self._index, self._offset = position
        self._carried = b""
        """The beginning of a line whose rest is in the next file; counted as not copied."""
        self._reading: tuple[int, int] | None = None
        """Where reading goes on when that is another file than where copying stands."""
        self._descriptor = -1

    @property
    def position(self) -> tuple[int, int]:
        """The number of a file, and an offset in it: everything before has been copied."""
        return self._index, self._offset

    def take(self) -> tuple[bytes, bool]:
        """Finished lines in our format, and whether more can be had at once."""
        chunk = self._read()
        if not chunk:
            return b"", self._advance(b"")
        data = self._carried + chunk
        end = data.rfind(b"\n") + 1
        if end:
            lines = self._render(data[: end - 1], b"F")
        elif len(data) >= READ_BYTES:
            end = len(data)
            lines = self._render(data, b"P")
        else:
            return b"", self._advance(data)
        self._settle(end)
        return lines, True

    def take_rest(self) -> bytes:
        """The unfinished last line in our format, when there is one."""
        rest = self._carried + self._read()
        if not rest:
            return b""
        line = self._render(rest, b"F")
        self._settle(len(rest))
        return line

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _settle(self, count: int) -> None:
        """Count ``count`` bytes from where copying stands on as copied."""
        index, offset = self._reading or self.position
        self._index, self._offset = index, offset + count - len(self._carried)
        self._carried = b""
        self._reading = None

    def _read(self) -> bytes:
        index, offset = self._reading or self.position
        if self._descriptor < 0:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(
                    self._directory / f"{self._prefix}{index}", os.O_RDONLY | os.O_CLOEXEC
                )
        return b"" if self._descriptor < 0 else os.pread(self._descriptor, READ_BYTES, offset)

    def _advance(self, rest: bytes) -> bool:
        """Go to the next file when this one is done; whether there was one."""
        index, offset = self._reading or self.position
        following = _next_index(self._directory, self._prefix, index)
        if following is None:
            return False
        if self._descriptor >= 0:
            # It may have grown before the next one was begun.
            size = os.fstat(self._descriptor).st_size
            if size > offset + len(rest) - len(self._carried):
                return True
        self.close()
        self._carried = rest or self._carried
        if self._carried:
            self._reading = (following, 0)
        else:
            self._index, self._offset, self._reading = following, 0, None
        return True

    def _render(self, text: bytes, tag: bytes) -> bytes:
        head = b"%s %s %s " % (self._stamper.stamp(time.time_ns()), self._label, tag)
        body = text.removesuffix(b"\n") if tag == b"F" else text
        return b"%s%s\n" % (head, body.replace(b"\n", b"\n" + head))


def _next_index(directory: Path, prefix: str, index: int) -> int | None:
    """The smallest number above ``index`` of which there is a file; numbers go missing when nobody copies for long."""
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return None
    pattern = re.compile(re.escape(prefix) + r"(\d+)")
    numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
    return min((number for number in numbers if number > index), default=None)
