"""Restarts that somebody asked for are told from those after a crash: Nomad has one count for both; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.engine.nomad.decode import RESTART_ASKED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.domain.service import ServiceName
    from prismctl.engine.nomad.decode import Allocation, TaskState

_STARTED: Final = "Started"


class AskedRestarts:
    """How many of an allocation's restarts are none of its service's doing."""

    def __init__(self) -> None:
        self._uncounted: dict[str, int] = {}
        self._asked_at: dict[tuple[str, ServiceName], float] = {}
        """Until Nomad says that the run that was asked for has begun: what it says comes later than what is seen."""

    def ask(self, allocation: Allocation, service: ServiceName, at: float) -> None:
        """Take note that a new run is asked for at a time (seconds since the epoch), and count anew from that run on."""
        self._asked_at[allocation.id, service] = at
        self._leave_out(allocation, service)

    def take(self, allocations: Iterable[Allocation]) -> None:
        """Compare with what Nomad says now; tries of its own that a restart overtook are not counted either."""
        known = {item.id: item for item in allocations}
        self._uncounted = {key: count for key, count in self._uncounted.items() if key in known}
        for (identity, service), at in list(self._asked_at.items()):
            allocation = known.get(identity)
            if allocation is not None:
                self._leave_out(allocation, service)
            if allocation is None or _has_begun(allocation.tasks.get(service), at):
                del self._asked_at[identity, service]

    def _leave_out(self, allocation: Allocation, service: ServiceName) -> None:
        task = allocation.tasks.get(service)
        if task is not None:
            self._uncounted[allocation.id] = task.restarts

    def of(self, allocation: str) -> int:
        """Restarts of an allocation that are not to be counted."""
        return self._uncounted.get(allocation, 0)


def _has_begun(task: TaskState | None, asked_at: float) -> bool:
    """Whether the run that was asked for is among what Nomad tells, or was, before later events took its place."""
    if task is None:
        return False
    asked = [event.at for event in task.events if event.type == RESTART_ASKED]
    if asked and asked[-1] >= asked_at:
        return any(event.type == _STARTED and event.at >= asked[-1] for event in task.events)
    return bool(task.events) and task.events[0].at > asked_at
