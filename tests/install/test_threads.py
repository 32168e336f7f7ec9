"""What blocks runs in a thread that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.install.provider import Progress, Unit
from prismctl.install.threads import StoppedError, run_in_thread

if TYPE_CHECKING:
    from prismctl.install.threads import Course

PATIENCE_SECONDS = 20.0


async def test_work_returns_its_answer_and_reports_in_the_loop() -> None:
    told: list[tuple[Progress, threading.Thread]] = []

    def work(course: Course) -> str:
        course.check()
        course.advance(2)
        course.advance(3)
        return "done"

    def report(progress: Progress) -> None:
        told.append((progress, threading.current_thread()))

    assert await run_in_thread(work, report=report, total=5) == "done"
    await asyncio.sleep(0)
    here = threading.current_thread()
    assert told == [(Progress(done=n, total=5, unit=Unit.BYTES), here) for n in (2, 5)]


async def test_cancelled_it_returns_once_the_work_has_tidied_up() -> None:
    begun, tidied = threading.Event(), threading.Event()
    checks = 0

    def work(course: Course) -> None:
        nonlocal checks
        begun.set()
        try:
            while not tidied.wait(0.001):
                checks += 1
                course.check()
        except StoppedError:
            tidied.set()
            raise

    task = asyncio.ensure_future(run_in_thread(work))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert tidied.is_set()
    assert checks


async def test_what_the_work_fails_of_is_raised() -> None:
    def work(_: Course) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_in_thread(work)
