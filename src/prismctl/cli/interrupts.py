"""Ctrl-C and SIGTERM as exceptions that a command can answer, and the errors they end as."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prismctl.errors import ExitCode, InterruptedByUserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


@contextmanager
def held_interrupts() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and SIGTERM back until the yielded function is called, which then raises what has arrived.

    While modules are being imported and processes started, an interrupt at any instruction could be
    swallowed by the interpreter or leave something half begun that nobody knows of.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _nothing_arrived
        return
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    def raise_arrived() -> None:
        if arrived:
            raise Terminated if arrived[0] == signal.SIGTERM else KeyboardInterrupt

    # What is ignored (a job in the background of a script) stays ignored.
    held = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, note) for number in held}
    try:
        yield raise_arrived
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _nothing_arrived() -> None:
    """Signals arrive in the main thread only."""


def is_caused_by_interrupt(error: BaseException) -> bool:
    """Whether an interrupt is at the root of an error: the interpreter wraps one that hits a class definition."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt | Terminated):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
