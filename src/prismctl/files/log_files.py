"""The files of one log, found and held open while their writer may be moving them aside.

A writer moves ``PATH.2`` to ``PATH.3``, then ``PATH.1`` to ``PATH.2``, then ``PATH`` to ``PATH.1``: in the middle of it
a name is missing, and a name means another file from one look to the next. So names are used once, to open what is
there; after that a file is known by its descriptor.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

MAX_FILES: Final = 32
"""How many files of a log are looked for."""


class LogFiles:
    """All files of a log as they were at one moment, the newest first.

    None is left out while a writer moves them: files only move up, so who looks at the names upwards, and stops at no
    gap, passes none; what is met twice is kept once.
    """

    def __init__(self, path: str) -> None:
        """Nothing is opened yet.

        Args:
            path: the name of the file that is written.
        """
        self._names = [path, *(f"{path}.{number}" for number in range(1, MAX_FILES))]
        self.descriptors: list[int] = []
        """Closed at the end."""

    def __enter__(self) -> Self:
        """Open them."""
        known: set[tuple[int, int]] = set()
        for name in self._names:
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            status = os.fstat(descriptor)
            if (file := (status.st_dev, status.st_ino)) in known:
                os.close(descriptor)
            else:
                known.add(file)
                self.descriptors.append(descriptor)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close them."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()

    def find(self, descriptor: int) -> int | None:
        """At which place a file is that somebody has open; ``None``: it is none of these, so it was removed."""
        mine = os.fstat(descriptor)
        places = enumerate(self.descriptors)
        return next((at for at, each in places if os.path.samestat(os.fstat(each), mine)), None)


def is_current(path: str, descriptor: int) -> bool:
    """Whether an open file is the one that is written."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))  # noqa: PTH116 - a name is text here
    except OSError:
        return False
