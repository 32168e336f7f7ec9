"""Removes files and trees: follows no link, enters no mount, goes on after what cannot be removed, and says what that was."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOUNT_TABLE: Final = Path("/proc/self/mountinfo")
_MOUNT_POINT_FIELD: Final = 4
_BLOCK_BYTES: Final = 512
"""What ``st_blocks`` counts in, on every system."""
_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something that is still there."""

    path: Path
    reason: str
    """In words."""
    fix: str = ""
    """What to type; empty where nothing is known to help."""


def measure(path: Path) -> int:
    """The bytes of disk that removing a path frees; what cannot be looked into counts nothing."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    seen: set[tuple[int, int]] = set()
    size = 0
    for each in (status, *_walk(path, status)):
        # A file with several names is freed once.
        key = (each.st_dev, each.st_ino)
        if key not in seen:
            seen.add(key)
            size += each.st_blocks * _BLOCK_BYTES
    return size


def _walk(path: Path, status: os.stat_result) -> Iterator[os.stat_result]:
    if not stat.S_ISDIR(status.st_mode):
        return
    waiting = [str(path)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if found.st_dev == status.st_dev:
                        yield found
                        if stat.S_ISDIR(found.st_mode):
                            waiting.append(entry.path)
        except OSError:
            continue


def find_mounts(table: Path = _MOUNT_TABLE) -> frozenset[str]:
    """Where something is mounted, as this system says; empty where it has no such table."""
    try:
        text = table.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return frozenset()
    points = set()
    for row in text.splitlines():
        fields = row.split(" ")
        if len(fields) > _MOUNT_POINT_FIELD:
            # Spaces and the like are written as octal numbers.
            point = re.sub(
                r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields[_MOUNT_POINT_FIELD]
            )
            points.add(point)
    return frozenset(points)


def remove(path: Path, *, mounts: frozenset[str] | None = None) -> list[Failure]:
    """Remove a file, a link or a whole directory; what could not be removed.

    What is not there is done. A directory of ours that is closed even to us is opened first.

    Args:
        path: to be removed.
        mounts: where something is mounted; by default, looked for now.
    """
    try:
        parent = path.parent.resolve(strict=True)
        descriptor = os.open(parent, _DIRECTORY_FLAGS)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_explain(path, error)]
    try:
        remover = _Remover(find_mounts() if mounts is None else mounts, os.fstat(descriptor).st_dev)
        remover.remove_entry(descriptor, parent, path.name)
    finally:
        os.close(descriptor)
    return remover.failures


def remove_lock(path: Path) -> list[Failure]:
    """Remove a lock file, unless somebody holds it; what could not be removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_explain(path, error)]
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return [Failure(path=path, reason="somebody holds it")]
    except OSError as error:
        return [_explain(path, error)]
    finally:
        os.close(descriptor)
    return []


def remove_empty(path: Path) -> list[Failure]:
    """Remove a directory in which nothing is; what could not be removed. Links to directories stay."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_explain(path, error)]
    return []


class _Remover:
    """One removal: it holds directories open by descriptor, so that nothing swapped in for one is entered."""

    def __init__(self, mounts: frozenset[str], device: int) -> None:
        self.failures: list[Failure] = []
        self._mounts = mounts
        self._device = device

    def remove_entry(self, parent: int, place: Path, name: str) -> None:
        """Remove one name of an open directory.

        Args:
            parent: the open directory.
            place: where that is, without links.
            name: in it.
        """
        path = place / name
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(name, dir_fd=parent)
            elif str(path) in self._mounts or status.st_dev != self._device:
                reason = "something is mounted there"
                self.failures.append(Failure(path=path, reason=reason, fix=f"sudo umount {path}"))
            elif self._empty(parent, path):
                os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.failures.append(_explain(path, error))

    def _empty(self, parent: int, path: Path) -> bool:
        """Remove what a directory holds; whether all of it is gone."""
        before = len(self.failures)
        descriptor = self._open(parent, path)
        try:
            with os.scandir(descriptor) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                self.remove_entry(descriptor, path, name)
        finally:
            os.close(descriptor)
        return len(self.failures) == before

    def _open(self, parent: int, path: Path) -> int:
        try:
            descriptor = os.open(path.name, _DIRECTORY_FLAGS, dir_fd=parent)
        except PermissionError:
            # It was a directory a moment ago, and the one above is ours: nobody else could have put a link there.
            os.chmod(path.name, stat.S_IRWXU, dir_fd=parent)
            descriptor = os.open(path.name, _DIRECTORY_FLAGS, dir_fd=parent)
        status = os.fstat(descriptor)
        if status.st_uid == os.getuid() and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(descriptor, stat.S_IRWXU)
        return descriptor


def _explain(path: Path, error: OSError) -> Failure:
    reason = (error.strerror or str(error)).lower()
    fix = ""
    if error.errno in {errno.EACCES, errno.EPERM}:
        fix = f"sudo rm -r {path}"
    elif error.errno == errno.EROFS:
        fix = f"findmnt -T {path}"
    return Failure(path=path, reason=reason, fix=fix)
