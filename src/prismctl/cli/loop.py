"""Runs coroutines for a command that is otherwise synchronous, with its interrupts in order."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

from prismctl.cli.interrupts import Terminated

if TYPE_CHECKING:
    from collections.abc import Coroutine

Answer = TypeVar("Answer")


def run_in_loop(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine; Ctrl-C and SIGTERM cancel it, and are raised once it has ended.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        Terminated: SIGTERM.
    """
    return asyncio.run(_cancelled_by_termination(work))


async def _cancelled_by_termination(work: Coroutine[Any, Any, Answer]) -> Answer:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    arrived = False

    def cancel() -> None:
        nonlocal arrived
        arrived = True
        task.cancel()

    # The loop's own handler replaces the one that raises in the middle of whatever runs.
    previous = signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if arrived:
            raise Terminated from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, previous)
