"""Where the daemon's own words go: its standard error, which is a file on a disk that may be full."""

from __future__ import annotations

import contextlib
import io
import os


class OwnLog(io.TextIOBase):
    """Standard error without a buffer; what the disk does not take is lost, and nothing fails because of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor that is written to."""
        return self._descriptor

    def write(self, text: str, /) -> int:
        """Write at once; says that all of it was written, whatever became of it."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text.encode(errors="backslashreplace"))
        return len(text)
