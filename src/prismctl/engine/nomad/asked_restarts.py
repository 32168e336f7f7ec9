"""Restarts that somebody asked for are told from those after a crash: Nomad has one count for both.

What was asked for is written down before it is asked: a daemon that takes over counts as the one before it did, whenever
that one was killed.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.domain.service import ServiceName
from prismctl.engine.nomad.decode import RESTART_ASKED
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prismctl.engine.nomad.decode import Allocation, TaskState

UNHEARD_SECONDS: Final = 60.0
"""A restart of which Nomad has told nothing for so long has not reached it: who asked was killed just then."""
_STARTED: Final = "Started"


class _Asked(NamedTuple):
    """A restart whose new run Nomad has not told of: what it says comes later than what is seen."""

    at: float
    """Seconds since the epoch."""
    uncounted_before: int


class AskedRestarts:
    """How many of an allocation's restarts are none of its service's doing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._uncounted: dict[str, int] = {}
        self._asked: dict[tuple[str, ServiceName], _Asked] = {}
        # What cannot be read is not known; then all restarts count.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._read(json.loads(file.read_text(encoding="utf-8")))

    def ask(self, allocation: Allocation, service: ServiceName, at: float) -> None:
        """Take note that a new run is asked for at a time (seconds since the epoch), and count anew from that run on."""
        key = allocation.id, service
        known = self._asked.get(key)
        before = known.uncounted_before if known else self.of(allocation.id)
        self._asked[key] = _Asked(at, before)
        self._leave_out(allocation, service)
        self._write_down()

    def take(self, allocations: Iterable[Allocation], now: float) -> None:
        """Compare with what Nomad says now; tries of its own that a restart overtook are not counted either."""
        known = {item.id: item for item in allocations}
        before = dict(self._uncounted), dict(self._asked)
        self._uncounted = {key: count for key, count in self._uncounted.items() if key in known}
        for (identity, service), asked in list(self._asked.items()):
            allocation = known.get(identity)
            task = allocation.tasks.get(service) if allocation else None
            if allocation is not None:
                self._leave_out(allocation, service)
            if allocation is None or _has_begun(task, asked.at):
                del self._asked[identity, service]
            elif now - asked.at > UNHEARD_SECONDS and not _has_reached(task, asked.at):
                self._uncounted[identity] = asked.uncounted_before
                del self._asked[identity, service]
        if before != (self._uncounted, self._asked):
            self._write_down()

    def of(self, allocation: str) -> int:
        """Restarts of an allocation that are not to be counted."""
        return self._uncounted.get(allocation, 0)

    def _leave_out(self, allocation: Allocation, service: ServiceName) -> None:
        task = allocation.tasks.get(service)
        if task is not None:
            self._uncounted[allocation.id] = task.restarts

    def _read(self, document: dict[str, Any]) -> None:
        asked = {
            (str(each["allocation"]), ServiceName(each["service"])): _Asked(
                float(each["at"]), int(each["uncounted_before"])
            )
            for each in document["asked"]
        }
        self._uncounted = {str(key): int(count) for key, count in document["uncounted"].items()}
        self._asked = asked

    def _write_down(self) -> None:
        document = {
            "uncounted": self._uncounted,
            "asked": [
                {"allocation": allocation, "service": service, **asked._asdict()}
                for (allocation, service), asked in self._asked.items()
            ],
        }
        # Nobody is kept from a restart because the disk is full.
        with contextlib.suppress(PrismError):
            write_atomically(self._file, json.dumps(document), outlives_power=False)


def _has_begun(task: TaskState | None, asked_at: float) -> bool:
    """Whether the run that was asked for is among what Nomad tells, or was, before later events took its place."""
    if task is None:
        return False
    asked = _last_asked(task)
    if asked >= asked_at:
        return any(event.type == _STARTED and event.at >= asked for event in task.events)
    return bool(task.events) and task.events[0].at > asked_at


def _has_reached(task: TaskState | None, asked_at: float) -> bool:
    """Whether Nomad has taken note that a new run is wanted."""
    return task is not None and _last_asked(task) >= asked_at


def _last_asked(task: TaskState) -> float:
    return max((event.at for event in task.events if event.type == RESTART_ASKED), default=0.0)
