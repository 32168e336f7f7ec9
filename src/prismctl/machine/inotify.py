"""Linux tells of changes in directories: nothing is looked at, and nobody wakes up, until there is one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from typing import Final, NamedTuple

_CLOEXEC: Final = 0x80000
_NONBLOCK: Final = 0x800
_CLOSE_WRITE: Final = 0x8
_MOVED_FROM: Final = 0x40
_MOVED_TO: Final = 0x80
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_ONLYDIR: Final = 0x1000000
_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
_ISDIR: Final = 0x40000000
_WANTED: Final = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLYDIR
_HEADER: Final = struct.Struct("iIII")
_READ_BYTES: Final = 64 * 1024


class DirectoryChange(NamedTuple):
    """One thing that happened in a directory."""

    path: str
    is_directory: bool
    is_new: bool
    """It appeared: was made, or moved here."""
    is_begun: bool
    """It was made, and whoever did so may still be writing it: its end is told as well."""


class Inotify:
    """The directories that one program wants to hear of; ``fileno`` is readable once there is something."""

    def __init__(self) -> None:
        """Have nothing told yet.

        Raises:
            OSError: this user has as many of these as is allowed.
        """
        self._library = ctypes.CDLL(None, use_errno=True)
        self._fd = self._call("inotify_init1", _CLOEXEC | _NONBLOCK)
        self._directories: dict[int, str] = {}

    def fileno(self) -> int:
        """What to wait at."""
        return self._fd

    def __len__(self) -> int:
        """How many directories are watched."""
        return len(self._directories)

    def add(self, directory: str) -> None:
        """Hear of a directory, not of those in it; of one that is watched already, nothing new.

        Raises:
            OSError: it is none, is not there, cannot be read, or the system allows no more.
        """
        number = self._call(
            "inotify_add_watch", self._fd, os.fsencode(directory), ctypes.c_uint32(_WANTED)
        )
        self._directories[number] = directory

    def __contains__(self, directory: str) -> bool:
        """Whether a directory is watched."""
        return directory in self._directories.values()

    def forget(self, directory: str) -> None:
        """Hear no more of a directory that was moved away or removed, nor of those in it."""
        for number, path in list(self._directories.items()):
            if path == directory or path.startswith(f"{directory}/"):
                del self._directories[number]
                with contextlib.suppress(OSError):
                    self._call("inotify_rm_watch", self._fd, number)

    def read(self) -> tuple[list[DirectoryChange], bool]:
        """What has happened since, and whether something of it was lost; never waits."""
        changes: list[DirectoryChange] = []
        is_complete = True
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return changes, is_complete
            offset = 0
            while offset < len(data):
                number, mask, _, length = _HEADER.unpack_from(data, offset)
                offset += _HEADER.size
                name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
                offset += length
                if mask & _OVERFLOW:
                    is_complete = False
                elif mask & _IGNORED:
                    self._directories.pop(number, None)
                elif name and number in self._directories:
                    path = os.path.join(self._directories[number], name)  # noqa: PTH118 - texts, thousands of them
                    changes.append(
                        DirectoryChange(
                            path,
                            is_directory=bool(mask & _ISDIR),
                            is_new=bool(mask & (_CREATE | _MOVED_TO)),
                            is_begun=bool(mask & _CREATE),
                        )
                    )

    def close(self) -> None:
        """Hear of nothing any more."""
        os.close(self._fd)

    def _call(self, name: str, *arguments: object) -> int:
        result: int = getattr(self._library, name)(*arguments)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
