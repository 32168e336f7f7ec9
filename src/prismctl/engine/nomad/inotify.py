"""Changes in directories as the kernel reports them; Linux only, by its C interface."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

IS_AVAILABLE: Final = sys.platform == "linux"

IN_MODIFY: Final = 0x2
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
_IN_NONBLOCK: Final = 0o4000
_IN_CLOEXEC: Final = 0o2000000
_HEAD: Final = struct.Struct("iIII")
_READ_BYTES: Final = 64 * 1024


class Change(NamedTuple):
    """One thing that happened in a watched directory."""

    watch: int
    mask: int
    name: str


class Inotify:
    """A set of watched directories behind one file descriptor."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = self._libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        """Readable when there are changes."""
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1 failed")

    def add(self, directory: Path, mask: int) -> int:
        """Watch a directory; its number in changes.

        Raises:
            OSError: it is not there, or the user's limit of watches is reached.
        """
        watch: int = self._libc.inotify_add_watch(
            self.descriptor, os.fsencode(directory), ctypes.c_uint32(mask)
        )
        if watch < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
        return watch

    def remove(self, watch: int) -> None:
        """Watch it no longer; one that is gone already is fine."""
        self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> list[Change]:
        """What happened since the last time, without waiting."""
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return []
        changes = []
        position = 0
        while position < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, position)
            position += _HEAD.size
            name = data[position : position + length].rstrip(b"\0")
            position += length
            changes.append(Change(watch, mask, os.fsdecode(name)))
        return changes

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self.descriptor)
