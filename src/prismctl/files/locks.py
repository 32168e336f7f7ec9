"""Locks that processes hold on files and directories; they go with the process, so none is ever stale."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def is_held(lock: Path) -> bool:
    """Whether somebody has it; a file that is not there is nobody's."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def holding_directory(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory, for what takes an instant: who has it is waited for.

    Raises:
        PrismError: it cannot be opened.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PrismError(
            f"cannot open {directory}: {error.strerror}", hint=describe_way_out(error, directory)
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
