"""Notices members that miss their heartbeats: sleeps until the first of them would be overdue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prism_services.admin.records import MemberKind

    MemberKey = tuple[MemberKind, str]

TOLERANCE_SECONDS: Final = 45.0
"""Heartbeats come every 30 s: half an interval late is missed, and noticed within a minute."""


class Deadlines:
    """When each member is overdue, by a clock that no change of the date disturbs."""

    def __init__(self, clock: Callable[[], float], *, tolerance: float = TOLERANCE_SECONDS) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._deadlines: dict[MemberKey, float | None] = {}

    def expect(self, member: MemberKey) -> None:
        """Expect heartbeats of a member from now on."""
        self._deadlines[member] = self._clock() + self._tolerance

    def heard(self, member: MemberKey) -> bool:
        """Note a heartbeat of a member that is expected to send them; says whether it was overdue."""
        if member not in self._deadlines:
            return False
        late = self._deadlines[member] is None
        self.expect(member)
        return late

    def pop_overdue(self) -> list[MemberKey]:
        """Members that have become overdue since this was last asked."""
        now = self._clock()
        overdue = [
            member
            for member, deadline in self._deadlines.items()
            if deadline is not None and deadline <= now
        ]
        for member in overdue:
            self._deadlines[member] = None
        return overdue

    def seconds_left(self) -> float | None:
        """Until the next member is overdue; ``None`` when none can become so."""
        pending = [deadline for deadline in self._deadlines.values() if deadline is not None]
        return max(0.0, min(pending) - self._clock()) if pending else None


class HeartbeatWatch:
    """Calls ``overdue`` once for every member that stops sending."""

    def __init__(
        self, deadlines: Deadlines, overdue: Callable[[MemberKey], Awaitable[None]]
    ) -> None:
        self._deadlines = deadlines
        self._overdue = overdue
        self._news = asyncio.Event()

    def expect(self, member: MemberKey) -> None:
        """Expect heartbeats of a member from now on."""
        self._deadlines.expect(member)
        self._news.set()

    def heard(self, member: MemberKey) -> None:
        """Note a heartbeat; a deadline that moves back needs no waking."""
        if self._deadlines.heard(member):
            self._news.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            for member in self._deadlines.pop_overdue():
                await self._overdue(member)
            self._news.clear()
            try:
                async with asyncio.timeout(self._deadlines.seconds_left()):
                    await self._news.wait()
            except TimeoutError:
                continue
