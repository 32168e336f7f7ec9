"""Ctrl-C and SIGTERM as exceptions that a command can answer, and the errors they end as."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prismctl.errors import ExitCode, InterruptedByUserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Terminated(BaseException):
    """SIGTERM arrived."""


class TerminatedError(InterruptedByUserError):
    """SIGTERM arrived; the message says how the stack was left."""

    exit_code = ExitCode.TERMINATED
    code = "terminated"


def interruption_error(
    cause: BaseException, message: str, *, hint: str = ""
) -> InterruptedByUserError:
    """The error for an interrupt that a command has answered: 143 after SIGTERM, else 130."""
    kind = TerminatedError if isinstance(cause, Terminated) else InterruptedByUserError
    return kind(message, hint=hint)


@contextmanager
def termination_as_exception() -> Iterator[None]:
    """Turn SIGTERM into `Terminated` while a command runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _raise_terminated(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
