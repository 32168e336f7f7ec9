"""Tells what happens to a stack: events of what `narration` finds worth it, and how long what was lost was away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.daemon.narration import narrate_snapshots
from prismctl.daemon.outages import Outages
from prismctl.domain.events import EventKind
from prismctl.domain.snapshot import StackState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.daemon.event_log import EventLog
    from prismctl.daemon.narration import Telling
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot


class Narrator:
    """Writes events; remembers since when something is down."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._outages = Outages()

    def tell(self, told: Iterable[Telling]) -> None:
        """Write these down."""
        for each in told:
            self._events.append(
                each.kind,
                service=each.service,
                instance=each.instance,
                message=each.message,
                details=each.details,
            )

    def compare(
        self,
        before: StackSnapshot,
        after: StackSnapshot,
        now: float,
        first_seconds: Mapping[ServiceName, float],
    ) -> None:
        """Tell what one snapshot has that the one before it had not.

        Args:
            before: the snapshot before.
            after: the present one.
            now: seconds since the epoch.
            first_seconds: how long each service took that is up for the first time.
        """
        seconds = {**self._outages.take_note(before, after, now), **first_seconds}
        is_same_life = before.services and before.state is not StackState.STOPPED
        self.tell(narrate_snapshots(before if is_same_life else None, after, seconds))
        if after.state is StackState.RUNNING and before.state is not StackState.RUNNING:
            self._tell_ready(before, after, now)

    def forget(self) -> None:
        """Nothing runs any more."""
        self._outages.forget()

    def _tell_ready(self, before: StackSnapshot, after: StackSnapshot, now: float) -> None:
        outage_seconds = self._outages.end_stack(now)
        if not before.services and after.ready_seconds is None:
            return
        is_first = before.ready_seconds is None
        seconds = after.ready_seconds if is_first and before.services else outage_seconds
        details = {} if seconds is None else {"seconds": round(seconds, 3)}
        self._events.append(EventKind.STACK_READY, details=details)
