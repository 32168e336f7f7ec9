"""Sees to it that what the services use and do, and who is suspended, is known: often while somebody looks, seldom else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from prismctl.daemon.process_table import find_suspended
from prismctl.daemon.suspended_keeper import describe_hold, find_hold
from prismctl.daemon.usage import CONFIRM_SECONDS, UsageSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.daemon.figure_history import FigureHistory
    from prismctl.daemon.keeper_link import KeeperLink
    from prismctl.daemon.metering import Metering
    from prismctl.daemon.monitor import Monitor

FRESH_SECONDS: Final = 0.5
"""Figures this young answer a request."""
WATCHED_SECONDS: Final = 0.5
UNWATCHED_SECONDS: Final = 15.0
LEAST_PAUSE_SECONDS: Final = 0.05
"""Between one look and the next: while somebody watches, while nobody does, and however long a look takes."""


class UsageWatch:
    """Takes samples into the monitor, by the clock and when it is asked to."""

    def __init__(
        self,
        monitor: Monitor,
        metering: Metering,
        history: FigureHistory,
        keeper: Callable[[], KeeperLink | None],
        before_each: Callable[[], None],
    ) -> None:
        self._monitor = monitor
        self._metering = metering
        self._history = history
        self._keeper = keeper
        self._before_each = before_each
        self._sampler = UsageSampler()
        self._sampled_at = 0.0
        self._looked_at = -FRESH_SECONDS
        self._is_watched = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._second_look: asyncio.TimerHandle | None = None

    async def go_on_for_ever(self) -> None:
        """Look until it is cancelled."""
        while True:
            if self._has_watchers:
                due = self._looked_at + WATCHED_SECONDS
                await asyncio.sleep(max(LEAST_PAUSE_SECONDS, due - time.monotonic()))
            else:
                self._is_watched.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(UNWATCHED_SECONDS):
                        await self._is_watched.wait()
            await self._look()

    @property
    def _has_watchers(self) -> bool:
        return self._monitor.snapshots.readers > 0

    async def freshen(self) -> None:
        """Return once all figures are fresh, or those that are not cannot be had at once."""
        if time.monotonic() - self._looked_at < FRESH_SECONDS:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look(), name="figures")
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        self._looked_at = time.monotonic()
        hangs_up = not self._has_watchers
        self._monitor.take_traffic(await self._metering.read(hangs_up=hangs_up))
        self.sample()
        self._history.record(time.time(), self._monitor.refresh())

    def note_watcher(self) -> None:
        """Somebody watches from now on."""
        self._is_watched.set()

    def refresh(self) -> None:
        """See to it that what the services use is fresh."""
        if time.monotonic() - self._sampled_at >= FRESH_SECONDS:
            self.sample()

    def sample(self) -> None:
        """Take a sample now."""
        self._before_each()
        pids = self._monitor.main_pids()
        agents = self._monitor.component_pids()
        held = find_suspended(agents)
        link = self._keeper()
        keeper = find_hold(link.process) if link is not None else None
        notes = [describe_hold(name.capitalize(), agents[name]) for name in sorted(held)]
        if keeper is not None:
            notes.append(describe_hold("the keeper", keeper))
        self._monitor.show_notes(tuple(notes))
        if not pids:
            self._monitor.take_usage((), suspended_components=held)
            return
        self._sampled_at = time.monotonic()
        keeper_pid = link.facts.pid if link is not None else 0
        samples = self._sampler.sample(pids, keeper_pid, self._monitor.inner_processes())
        self._monitor.take_usage(samples, suspended_components=held)
        self._give_up_second_look()
        if self._sampler.is_doubtful:
            self._second_look = asyncio.get_running_loop().call_later(CONFIRM_SECONDS, self.sample)

    def close(self) -> None:
        """Give up what is being looked at, and the second look that a doubtful sample gets."""
        if self._looking is not None:
            self._looking.cancel()
        self._give_up_second_look()

    def _give_up_second_look(self) -> None:
        if self._second_look is not None:
            self._second_look.cancel()
            self._second_look = None
