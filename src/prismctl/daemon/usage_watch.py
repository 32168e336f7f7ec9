"""Sees to it that what the services use, and who is suspended, is known: often while somebody looks, seldom else."""

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

    from prismctl.daemon.keeper_link import KeeperLink
    from prismctl.daemon.monitor import Monitor

FRESH_SECONDS: Final = 0.5
"""A sample this young answers a request; over less, CPU cannot be measured."""
WATCHED_SECONDS: Final = 1.0
UNWATCHED_SECONDS: Final = 15.0


class UsageWatch:
    """Takes samples into the monitor, by the clock and when it is asked to."""

    def __init__(
        self,
        monitor: Monitor,
        keeper: Callable[[], KeeperLink | None],
        before_each: Callable[[], None],
    ) -> None:
        self._monitor = monitor
        self._keeper = keeper
        self._before_each = before_each
        self._sampler = UsageSampler()
        self._sampled_at = 0.0
        self._is_watched = asyncio.Event()
        self._second_look: asyncio.TimerHandle | None = None

    async def go_on_for_ever(self) -> None:
        """Sample until it is cancelled."""
        while True:
            is_watched = self._monitor.snapshots.readers > 0
            if is_watched:
                await asyncio.sleep(WATCHED_SECONDS)
            else:
                self._is_watched.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(UNWATCHED_SECONDS):
                        await self._is_watched.wait()
            self.sample()

    def note_watcher(self) -> None:
        """Somebody watches from now on."""
        self._is_watched.set()

    def refresh(self) -> None:
        """See to it that the figures are fresh."""
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
        self.close()
        if self._sampler.is_doubtful:
            self._second_look = asyncio.get_running_loop().call_later(CONFIRM_SECONDS, self.sample)

    def close(self) -> None:
        """Give up the second look that a doubtful sample gets."""
        if self._second_look is not None:
            self._second_look.cancel()
            self._second_look = None
