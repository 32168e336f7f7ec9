"""Writes down what a start took once it is up, beside everything else: no stack is worse off when that fails."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from prismctl.domain.past_starts import awaited_of, describe_start
from prismctl.domain.start_report import report_start
from prismctl.errors import PrismError
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.daemon.event_log import EventLog
    from prismctl.daemon.monitor import Monitor
    from prismctl.daemon.usage_watch import UsageWatch
    from prismctl.domain.past_starts import PastStart
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.snapshot import StackSnapshot
    from prismctl.domain.start_report import StartReport
    from prismctl.files.paths import StackPaths

WRITE_DELAY_SECONDS: Final = 0.5
"""Whoever waited for the stack gets the word first, and the machine to themselves."""
MEMORY_SECONDS: Final = 180.0
"""After this long services use what they usually do; a stop before that has the last word."""
CONSIDERED: Final = 200
"""So many of the newest starts are looked at for a report."""
FINISH_SECONDS: Final = 1.5
"""How long a stop waits for the disk at most."""


class StartRecorder:
    """Keeps the history for one stack; the writing is done in a thread, one thing after the other."""

    def __init__(
        self, paths: StackPaths, monitor: Monitor, events: EventLog, usage: UsageWatch
    ) -> None:
        self._home = Home(paths.directory.parent.parent)
        self._stack = paths.name
        self._monitor = monitor
        self._events = events
        self._usage = usage
        self._waiting: list[Callable[[], bool]] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._writing: asyncio.Task[None] | None = None

    def note_settled(self, plan: StackPlan, snapshot: StackSnapshot) -> None:
        """A plan was carried out; if that was a start that came up, it is written down soon."""
        start = describe_start(plan, snapshot, self._events.after(0))
        if start is None:
            return

        def write() -> bool:
            from prismctl.files.history import record_start

            return record_start(self._home, start)

        self._waiting.append(write)
        self._later("write", WRITE_DELAY_SECONDS, self._begin_writing)
        self._later("memory", MEMORY_SECONDS, self._measure)

    def note_memory(self) -> None:
        """Write down what the services use now, or used when that was last measured."""
        snapshot = self._monitor.refresh()
        started_at = snapshot.started_at
        if started_at is None or snapshot.ready_seconds is None:
            return
        if not any(service.memory_bytes for service in snapshot.services):
            self._usage.refresh()
            snapshot = self._monitor.refresh()
        measured = {
            str(service.name): sum(sizes) // len(sizes)
            for service in snapshot.services
            if (sizes := [each.memory_bytes for each in service.instances if each.memory_bytes])
        }
        if not measured:
            return

        def write() -> bool:
            from prismctl.files.history import record_memory

            return record_memory(
                self._home, stack=self._stack, started_at=started_at, memory_bytes=measured
            )

        self._waiting.append(write)
        self._begin_writing()

    async def report(self) -> StartReport | None:
        """What the start of all that runs took, beside those before it; ``None``: it is not up, or never came up whole.

        Raises:
            HistoryError: the history cannot be read.
        """
        await self._write_now()
        plan, started_at = self._monitor.plan, self._monitor.refresh().started_at
        if plan is None or started_at is None:
            return None

        def read() -> tuple[PastStart, ...]:
            from prismctl.files.history import load_starts

            return load_starts(self._home, most=CONSIDERED)

        past = await asyncio.to_thread(read)
        name = (self._stack, started_at)
        start = next((each for each in past if (each.stack, each.started_at) == name), None)
        awaited = {str(service.name): awaited_of(service) for service in plan.services}
        return report_start(start, past, awaited) if start is not None else None

    async def finish(self) -> None:
        """Return once all is written, or the disk takes too long for it."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await self._write_now()

    async def _write_now(self) -> None:
        self._begin_writing()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=FINISH_SECONDS)

    def _later(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        before = self._timers.pop(name, None)
        if before is not None:
            before.cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, work)

    def _measure(self) -> None:
        self._usage.refresh()
        self.note_memory()

    def _begin_writing(self) -> None:
        if self._waiting and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write(), name="history")

    async def _write(self) -> None:
        while self._waiting:
            write = self._waiting.pop(0)
            try:
                if await asyncio.to_thread(write):
                    sys.stderr.write(
                        f"{self._home.history} was damaged; put aside as {self._home.damaged_history}\n"
                    )
            except PrismError as error:
                sys.stderr.write(f"{error.message}\n")
