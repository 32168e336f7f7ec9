"""What the keeper has to say about itself: terse lines in a file of bounded size."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from prismctl.keeper.logs import Stamper

_STDERR: Final = 2
_MAX_CHARACTERS: Final = 2000


class OwnLog:
    """Writes lines with the time in front; standard error follows, so that a crash is explained there too."""

    def __init__(self, path: str, stamper: Stamper, *, max_bytes: int) -> None:
        self._file = LogFile(path, max_bytes=max_bytes // 2, max_files=2)
        self._stamper = stamper
        self._seen = 0

    def note(self, text: str) -> None:
        """Write one line."""
        line = text[:_MAX_CHARACTERS].replace("\n", " ").encode(errors="backslashreplace")
        self._file.write(b"%s %s\n" % (self._stamper.stamp(time.time_ns()), line))
        descriptor = self._file.descriptor
        if descriptor is not None and self._seen != self._file.times_opened:
            self._seen = self._file.times_opened
            os.dup2(descriptor, _STDERR)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
