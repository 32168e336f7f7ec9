"""Reads the counters of all instances, each over a connection of its own, and makes figures of them.

An instance that hangs costs its own figures and nobody else's: one reading of it is under way at a time, for a limited
time, and nobody waits for it longer than a moment.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from prismctl.domain.rates import Reading, extend_window, measure_traffic
from prismctl.meters.registry import UNITS, make_meter
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.rates import Traffic, Window
    from prismctl.domain.service import ServiceName
    from prismctl.meters.meter import Counts, Target

PATIENCE_SECONDS: Final = 0.1
"""How long a watcher's figures are held up by readings that take their time."""
READING_SECONDS: Final = 1.0
"""How long one reading may take, a connection included."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
"""An instance that cannot be read is asked again after a second, and after twice as long each time."""


class _Metered:
    """One run of one instance: its meter, and what it has read."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.meter = make_meter(target)
        self.window: Window = ()
        self.reading: asyncio.Task[None] | None = None
        self._pause_seconds = 0.0
        self._paused_until = 0.0

    def is_due(self, now: float) -> bool:
        return self.reading is None and now >= self._paused_until

    def take(self, reading: Reading) -> None:
        self.window = extend_window(self.window, reading)
        self._pause_seconds = 0.0

    def give_up(self) -> None:
        """It cannot be read at present: what was read before is no figure of now."""
        self.window = ()
        self.meter.close()
        self._pause_seconds = min(
            LONGEST_PAUSE_SECONDS, 2 * self._pause_seconds or FIRST_PAUSE_SECONDS
        )
        self._paused_until = time.monotonic() + self._pause_seconds

    def end(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
        self.meter.close()


class Metering:
    """The meters of all instances that run.

    Args:
        is_up: whether the present run of an instance has ever answered: before, its counters say nothing.
        count_answers: how often we have found it ready; ``None`` while it is just being asked.
        patience_seconds: how long figures wait for readings; what comes later is in the next ones.
    """

    def __init__(
        self,
        is_up: Callable[[InstanceKey], bool],
        count_answers: Callable[[InstanceKey], int | None],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._is_up = is_up
        self._count_answers = count_answers
        self._patience_seconds = patience_seconds
        self._metered: dict[InstanceKey, _Metered] = {}

    def follow(self, key: InstanceKey, target: Target | None) -> None:
        """Read the counters of this run from now on, and of none before it; ``None``: it has none."""
        known = self._metered.get(key)
        if known is not None and known.target == target:
            return
        self.forget(key)
        if target is not None:
            self._metered[key] = _Metered(target)

    def forget(self, key: InstanceKey) -> None:
        """Read an instance no more."""
        known = self._metered.pop(key, None)
        if known is not None:
            known.end()

    def close(self) -> None:
        """Read nothing any more."""
        for key in list(self._metered):
            self.forget(key)

    async def read(self, *, hangs_up: bool) -> dict[ServiceName, Traffic]:
        """The figures of every service that has any; ``hangs_up``: no connection stays open for the next time."""
        now = time.monotonic()
        for key, metered in self._metered.items():
            if metered.is_due(now) and self._is_up(key):
                metered.reading = asyncio.get_running_loop().create_task(
                    self._read_one(key, metered, hangs_up=hangs_up), name=f"meter {key}"
                )
        under_way = [each.reading for each in self._metered.values() if each.reading is not None]
        if under_way:
            await asyncio.wait(under_way, timeout=self._patience_seconds)
        return self._measure()

    def _measure(self) -> dict[ServiceName, Traffic]:
        by_service: dict[ServiceName, list[_Metered]] = {}
        for key, metered in self._metered.items():
            by_service.setdefault(key.service, []).append(metered)
        return {
            name: measure_traffic([each.window for each in found], UNITS[found[0].target.kind])
            for name, found in by_service.items()
        }

    async def _read_one(self, key: InstanceKey, metered: _Metered, *, hangs_up: bool) -> None:
        try:
            async with asyncio.timeout(READING_SECONDS):
                counts = await metered.meter.read()
        except (NotReadyError, TimeoutError):
            metered.give_up()
        else:
            self._take(key, metered, counts)
            if hangs_up:
                metered.meter.close()
        finally:
            metered.reading = None

    def _take(self, key: InstanceKey, metered: _Metered, counts: Counts) -> None:
        per_check = metered.target.requests_per_check
        answers = self._count_answers(key) if per_check else 0
        if answers is None:
            # Whether it has counted the check that is just under way cannot be told.
            return
        metered.take(
            Reading(
                at=time.monotonic(),
                counted=counts.requests,
                own=counts.own + per_check * answers,
                errors=counts.errors,
                latency=counts.latency,
            )
        )
