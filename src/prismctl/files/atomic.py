"""Whole files or none: written beside their name, flushed, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(
    path: Path, content: str | bytes, *, mode: int = 0o600, outlives_power: bool = True
) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new one and nothing else.

    Args:
        path: the file.
        content: all of it.
        mode: its permissions.
        outlives_power: whether it is to be there after the machine lost its power, for which the disk is waited for.

    Raises:
        PrismError: the file cannot be written (named: disk full, no permission); the old one is untouched.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if outlives_power:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise PrismError(
            f"cannot write {path}: {error.strerror}", hint=describe_way_out(error, path)
        ) from error


def describe_way_out(error: OSError, path: Path) -> str:
    """What to do about something that cannot be written, as a hint."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"free some space: `df -h {path.parent}` shows the disk"
    return "make the directory writable, or point PRISM_HOME somewhere else"
