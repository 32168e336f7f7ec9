"""Holding a stack that does not run, so that nobody starts it while its files are changed from here."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prismctl.client.condition import StackCondition, find_condition
from prismctl.client.sockets import POLL_SECONDS
from prismctl.errors import PrismError, RejectedError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.files.paths import StackPaths

HOLD_SECONDS: Final = 2.0
"""How long whoever has the lock may take to let go: a daemon that ends does in a fraction of this."""
_MAX_PURPOSE_BYTES: Final = 200


@contextmanager
def holding_stack(paths: StackPaths, purpose: str) -> Iterator[None]:
    """Hold the daemon's lock of a stack that does not run.

    Args:
        paths: of the stack; its directories are made where they are missing.
        purpose: what for, in words; whoever waits for the lock can say it.

    Raises:
        RejectedError: another process holds the stack, or it was left behind by a run that was killed.
        PrismError: home cannot be written.
    """
    descriptor = _open_lock(paths)
    try:
        _take(descriptor, paths)
        condition = find_condition(paths)
        if condition is StackCondition.LEFT_BEHIND:
            raise RejectedError(
                f"stack `{paths.name}` ended without being stopped: something may still use its data",
                hint=f"`prismctl dev stop{_option(paths)}` clears up",
            )
        if condition is not StackCondition.STOPPED:
            raise RejectedError(
                f"stack `{paths.name}` was started meanwhile", hint="try the same command again"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"PID {os.getpid()}, {purpose}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _open_lock(paths: StackPaths) -> int:
    home = paths.directory.parent.parent
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (paths.directory.parent, paths.directory, paths.data):
            directory.mkdir(mode=0o700, exist_ok=True)
        return os.open(paths.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrismError(
            f"cannot write {error.filename or paths.directory}: {error.strerror}",
            hint=describe_way_out(error, paths.directory),
        ) from error


def _take(descriptor: int, paths: StackPaths) -> None:
    deadline = time.monotonic() + HOLD_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, _MAX_PURPOSE_BYTES, 0).decode(errors="replace")
                who = holder.strip() or "another process"
                raise RejectedError(
                    f"{who} holds stack `{paths.name}`",
                    hint=f"`prismctl dev status{_option(paths)}` says whether it runs by now",
                ) from error
            time.sleep(POLL_SECONDS)
        else:
            return


def _option(paths: StackPaths) -> str:
    return "" if paths.name == "default" else f" --stack {paths.name}"
