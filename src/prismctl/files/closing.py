"""Closes what is ours to other users, and tells a home that may be closed from a place that others need."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from prismctl.errors import PrismError
from prismctl.files.text import name_for_people

OTHERS: Final = 0o077
"""Every permission of other users."""
WAY_OUT: Final = "point PRISM_HOME at a directory of its own"

_SYSTEM: Final = frozenset(
    map(
        Path,
        [
            "/bin",
            "/boot",
            "/dev",
            "/etc",
            "/home",
            "/lib",
            "/lib64",
            "/media",
            "/mnt",
            "/opt",
            "/proc",
            "/root",
            "/run",
            "/sbin",
            "/srv",
            "/sys",
            "/tmp",  # noqa: S108 - named to be refused
            "/usr",
            "/usr/bin",
            "/usr/lib",
            "/usr/local",
            "/usr/local/bin",
            "/usr/local/lib",
            "/usr/local/share",
            "/usr/sbin",
            "/usr/share",
            "/var",
            "/var/cache",
            "/var/lib",
            "/var/log",
            "/var/tmp",  # noqa: S108 - named to be refused
            "/Applications",
            "/Library",
            "/System",
            "/Users",
            "/Volumes",
            "/opt/homebrew",
            "/private/etc",
            "/private/tmp",
            "/private/var",
            "/private/var/tmp",
        ],
    )
)
"""Directories of the system, resolved, that root might name by mistake and that everybody needs."""


def holds_more(directory: Path) -> bool:
    """Whether a directory is the system's, the user's own home directory, or one above it.

    Raises:
        PrismError: it cannot be told where the directory is.
    """
    try:
        place, user = directory.resolve(), Path.home().resolve()
    except (OSError, RuntimeError) as error:
        raise PrismError(f"cannot tell where {directory} is: {error}") from error
    return user.is_relative_to(place) or place in _SYSTEM


def find_obstacle(directory: Path) -> str:
    """Why a directory must not be closed to others, in words; empty when it may be.

    Raises:
        OSError: it cannot be looked at.
        PrismError: it cannot be told where it is.
    """
    return _judge(directory, directory.lstat())


def close_to_others(path: Path) -> tuple[int, int]:
    """Take every permission of other users from a file or directory of ours; its mode before and after.

    Raises:
        PrismError: it may not be changed, or others need it.
    """
    try:
        # A link put there since it was looked at would have us change what it leads to.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        is_directory = stat.S_ISDIR(path.lstat().st_mode)
        descriptor = os.open(path, flags | (os.O_DIRECTORY if is_directory else 0))
        try:
            status = os.fstat(descriptor)
            obstacle = _judge(path, status) if stat.S_ISDIR(status.st_mode) else _judge_file(status)
            if obstacle:
                raise PrismError(
                    f"{name_for_people(path)} cannot be closed to others: {obstacle}",
                    hint=WAY_OUT if is_directory else f"`ls -l {path}` shows whose it is",
                )
            before = stat.S_IMODE(status.st_mode)
            after = before & ~OTHERS
            if after != before:
                os.fchmod(descriptor, after)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise PrismError(
            f"cannot change the mode of {path}: {error.strerror}",
            hint=f"`ls -ld {path}` shows whose it is",
        ) from error
    return before, after


def refuse_open(directory: Path) -> None:
    """Refuse a home that is open to others and has to stay so; one that is not there yet is fine.

    Raises:
        PrismError: it is such a place, or cannot be looked at.
    """
    try:
        is_open = bool(directory.stat().st_mode & OTHERS)
        obstacle = find_obstacle(directory) if is_open else ""
    except FileNotFoundError:
        return
    except OSError as error:
        raise PrismError(f"cannot look at {directory}: {error.strerror}") from error
    if obstacle:
        raise PrismError(
            f"{name_for_people(directory)} cannot be closed to others: {obstacle}", hint=WAY_OUT
        )


def _judge(directory: Path, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return "it is a link"
    if not stat.S_ISDIR(status.st_mode):
        return "it is not a directory"
    if status.st_uid != os.geteuid():
        return "it belongs to somebody else"
    if status.st_mode & stat.S_ISVTX:
        return "everybody shares it"
    return "it holds more than a Prism home" if holds_more(directory) else ""


def _judge_file(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file"
    return "" if status.st_uid == os.geteuid() else "it belongs to somebody else"
