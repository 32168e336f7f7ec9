"""The lock of a home: whoever puts something into it, or takes something away, does so alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.files.paths import Home


@contextlib.contextmanager
def holding_home(home: Home, *, when_busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a home, which is created if it is not there.

    Args:
        home: to be held.
        when_busy: called when somebody else holds it; unless it raises, that one is waited for.

    Raises:
        PrismError: home cannot be written.
    """
    while True:
        with _opened(home) as descriptor:
            if not _try_to_lock(descriptor):
                when_busy()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A `clean` that was waited for has removed the file: the next one would not see it locked.
            if _is_in_place(descriptor, home):
                yield
                return


@contextlib.contextmanager
def _opened(home: Home) -> Iterator[int]:
    try:
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(home.init_lock, flags, 0o600)
    except OSError as error:
        raise PrismError(
            f"cannot write {home.directory}: {error.strerror}",
            hint=describe_way_out(error, home.init_lock),
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_in_place(descriptor: int, home: Home) -> bool:
    """Whether the file that is locked is the one that home has."""
    try:
        return os.path.samestat(os.fstat(descriptor), home.init_lock.lstat())
    except FileNotFoundError:
        return False
