"""Runs what blocks in a thread that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

from prismctl.install.provider import Progress, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")


class StoppedError(Exception):
    """Nobody waits for the work any more."""


class Course:
    """How a piece of work in a thread goes: it says how far it is, and is told when to stop."""

    def __init__(self, report: Callable[[Progress], None] | None, total: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._total = total
        self._done = 0
        self._stop = threading.Event()

    def stop(self) -> None:
        """Make the next `check` raise."""
        self._stop.set()

    def check(self) -> None:
        """Go on only while somebody waits.

        Raises:
            StoppedError: nobody waits for the rest.
        """
        if self._stop.is_set():
            raise StoppedError

    def advance(self, size: int) -> None:
        """So many bytes more are done.

        Raises:
            StoppedError: nobody waits for the rest.
        """
        self.check()
        self._done += size
        if self._report is not None:
            progress = Progress(done=self._done, total=self._total, unit=Unit.BYTES)
            self._loop.call_soon_threadsafe(self._report, progress)


async def run_in_thread(
    work: Callable[[Course], Answer],
    *,
    report: Callable[[Progress], None] | None = None,
    total: int = 0,
) -> Answer:
    """The result of work that blocks; cancelled, it returns once the work has noticed.

    Args:
        work: calls `Course.advance` or `Course.check` again and again.
        report: is told how far it is, in the loop.
        total: bytes that there are to do.
    """
    course = Course(report, total)
    done = asyncio.get_running_loop().run_in_executor(None, work, course)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        course.stop()
        await asyncio.wait([done])
        # Looked at, so that nobody complains about it.
        done.exception()
        raise
