"""Whole directory trees: copied with their owners, measured, removed; links in them are never followed.

A tree may belong to another account that is still at work in it, so every step down goes through a descriptor of
the directory above: a directory that is exchanged for a link meanwhile leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK_BYTES: Final = 512
"""The unit of ``st_blocks``, whatever the file system's own is."""
_CHUNK_BYTES: Final = 8 * 1024 * 1024
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_SOURCE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_TARGET: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONE: Final = 0x40049409
"""Linux: let another file share the blocks of this one until either is written."""
_CANNOT_SHARE: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
)


class TreeSize(NamedTuple):
    """What a tree takes on the disk, and when anything in it was last written."""

    size_bytes: int
    changed_at: float | None
    """In seconds since the epoch; ``None`` when there is no file in it."""


def copy_tree(source: Path, target: Path, check: Callable[[], None] = lambda: None) -> None:
    """Copy a directory with all that is in it; owners, modes and times are kept, blocks shared where that can be.

    A link is copied as a link. Sockets, pipes and devices hold no data and are left out.

    Args:
        source: a directory, not a link to one.
        target: must not exist; the directory above it does.
        check: called between files and now and then in large ones; what it raises ends the copying.

    Raises:
        OSError: something cannot be read or written; what was copied so far is there.
    """
    before = os.open(source, _OPEN_DIRECTORY)
    try:
        target.mkdir(mode=0o700)
        after = os.open(target, _OPEN_DIRECTORY)
        try:
            _copy_directory(before, after, os.fspath(source), check)
        finally:
            os.close(after)
    finally:
        os.close(before)


def describe_copy_way_out(error: OSError, target: Path) -> str:
    """What to do about something that `copy_tree` could not copy, as a hint."""
    if error.errno in {errno.EPERM, errno.EACCES} and error.filename:
        return f"it may belong to another account: `ls -ldn {error.filename}` shows whose it is"
    return describe_way_out(error, target)


def measure_tree(directory: Path) -> TreeSize:
    """What a tree takes; what cannot be looked into does not count, and neither does what links lead to."""
    size = 0
    changed_at: float | None = None
    waiting = [os.fspath(directory)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                size += status.st_blocks * _BLOCK_BYTES
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(entry.path)
                elif changed_at is None or status.st_mtime > changed_at:
                    changed_at = status.st_mtime
    return TreeSize(size, changed_at)


def remove_tree(path: Path) -> bool:
    """Remove a directory with all that is in it, or a link; whether nothing of it is left."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return not os.path.lexists(path)
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        # Some servers write-protect their directories.
        for parent, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                os.chmod(parent, 0o700, follow_symlinks=False)  # noqa: PTH101 - a directory may become a link
        shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def flush_trees(directory: Path) -> None:
    """Have everything that was written on the file system of a directory reach the disk."""
    if sys.platform != "linux":
        os.sync()
        return
    import ctypes

    descriptor = os.open(directory, _OPEN_DIRECTORY)
    try:
        ctypes.CDLL(None, use_errno=True).syncfs(descriptor)
    finally:
        os.close(descriptor)


def _copy_directory(source: int, target: int, where: str, check: Callable[[], None]) -> None:
    with os.scandir(source) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        check()
        path = f"{where}/{name}"
        try:
            _copy_entry(source, target, path, check)
        except OSError as error:
            # Errors about descriptors name no file; one from further down has its own.
            if isinstance(error.filename, str) and error.filename.startswith(path):
                raise
            raise OSError(error.errno, error.strerror, path) from error
    _take_over(os.fstat(source), target)


def _copy_entry(source: int, target: int, path: str, check: Callable[[], None]) -> None:
    name = path.rpartition("/")[2]
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        _copy_child(source, target, path, check)
    elif stat.S_ISREG(status.st_mode):
        _copy_file(source, target, name, check)
    elif stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        own = os.stat(name, dir_fd=target, follow_symlinks=False)
        if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
            ids = _choose_owner(status)
            os.chown(name, *ids, dir_fd=target, follow_symlinks=False)


def _copy_child(source: int, target: int, path: str, check: Callable[[], None]) -> None:
    name = path.rpartition("/")[2]
    before = os.open(name, _OPEN_DIRECTORY, dir_fd=source)
    try:
        os.mkdir(name, 0o700, dir_fd=target)
        after = os.open(name, _OPEN_DIRECTORY, dir_fd=target)
        try:
            _copy_directory(before, after, path, check)
        finally:
            os.close(after)
    finally:
        os.close(before)


def _copy_file(source: int, target: int, name: str, check: Callable[[], None]) -> None:
    before = os.open(name, _OPEN_SOURCE, dir_fd=source)
    try:
        status = os.fstat(before)
        if not stat.S_ISREG(status.st_mode):
            return
        after = os.open(name, _OPEN_TARGET, 0o600, dir_fd=target)
        try:
            if not _share_blocks(before, after):
                _copy_bytes(before, after, check)
            _take_over(status, after)
        finally:
            os.close(after)
    finally:
        os.close(before)


def _share_blocks(source: int, target: int) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return False
        raise
    return True


def _copy_bytes(source: int, target: int, check: Callable[[], None]) -> None:
    while chunk := os.read(source, _CHUNK_BYTES):
        check()
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]


def _take_over(status: os.stat_result, target: int) -> None:
    """Owner first: changing it takes some modes away."""
    own = os.fstat(target)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(target, *_choose_owner(status))
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _choose_owner(status: os.stat_result) -> tuple[int, int]:
    """Who shall own a copy; the group that only root could give back is left as it is where the file is ours."""
    user, group = status.st_uid, status.st_gid
    can_give_group = os.geteuid() == 0 or group in {os.getegid(), *os.getgroups()}
    return (user, group) if can_give_group or user != os.geteuid() else (user, -1)
