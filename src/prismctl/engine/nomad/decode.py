"""What Nomad's HTTP answers, as our values; pure, and indifferent to fields it does not know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

_NANOSECONDS: Final = 1_000_000_000
_RESTARTING: Final = "Restarting"
RESTART_ASKED: Final = "Restart Signaled"
"""The event right before the end of a run that was asked to make way for another."""


class GroupId(NamedTuple):
    """A group of tasks, which is one instance."""

    job: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A client of the cluster."""

    id: str
    name: str
    is_ready: bool
    has_raw_exec: bool
    """It runs commands as they are, and says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """One entry in the life of a task."""

    type: str
    at: float
    """Seconds since the epoch."""
    message: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """Where a task is."""

    state: str = "pending"
    """``pending``, ``running`` or ``dead``."""
    is_failed: bool = False
    restarts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    events: tuple[TaskEvent, ...] = ()
    """Oldest first; Nomad keeps the last ten."""

    @property
    def last_end(self) -> TaskEvent | None:
        """How the latest run that ended did; ``None`` where it was asked to make way for another."""
        ends = [place for place, event in enumerate(self.events) if event.type == "Terminated"]
        if not ends or (ends[-1] and self.events[ends[-1] - 1].type == RESTART_ASKED):
            return None
        return self.events[ends[-1]]

    @property
    def is_to_restart(self) -> bool:
        """Its last run has ended, and the next one is decided on and has not begun."""
        return bool(self.events) and self.events[-1].type == _RESTARTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One placement of one group."""

    id: str
    job: str
    group: str
    create_index: int
    desired: str
    """``run``, ``stop`` or ``evict``."""
    status: str
    """``pending``, ``running``, ``complete``, ``failed``, ``lost`` or ``unknown``."""
    description: str = ""
    tasks: dict[str, TaskState] = field(default_factory=dict)

    @property
    def group_id(self) -> GroupId:
        """Which group it places."""
        return GroupId(self.job, self.group)

    @property
    def is_terminal(self) -> bool:
        """Nothing of it runs any more."""
        return self.status in {"complete", "failed", "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One decision of the scheduler."""

    id: str
    status: str
    create_index: int
    refusals: dict[str, str] = field(default_factory=dict)
    """For each group that found no place: why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """That something changed; what, is asked for."""

    index: int
    topics: frozenset[str]


def decode_nodes(data: Any) -> list[Node]:
    """``GET /v1/nodes``."""
    return [
        Node(
            id=node["ID"],
            name=node.get("Name", ""),
            is_ready=node.get("Status") == "ready"
            and node.get("SchedulingEligibility") == "eligible",
            has_raw_exec=bool(
                ((node.get("Drivers") or {}).get("raw_exec") or {}).get("Healthy", False)
            ),
        )
        for node in data
    ]


def decode_allocations(data: Any) -> list[Allocation]:
    """``GET /v1/allocations``."""
    return [
        Allocation(
            id=item["ID"],
            job=item["JobID"],
            group=item["TaskGroup"],
            create_index=item.get("CreateIndex", 0),
            desired=item.get("DesiredStatus", ""),
            status=item.get("ClientStatus", ""),
            description=item.get("ClientDescription", ""),
            tasks={
                name: _decode_task_state(state)
                for name, state in (item.get("TaskStates") or {}).items()
            },
        )
        for item in data
    ]


def _decode_task_state(data: Any) -> TaskState:
    return TaskState(
        state=data.get("State", "pending"),
        is_failed=bool(data.get("Failed")),
        restarts=data.get("Restarts", 0),
        started_at=decode_time(data.get("StartedAt")),
        finished_at=decode_time(data.get("FinishedAt")),
        events=tuple(_decode_task_event(event) for event in data.get("Events") or ()),
    )


def _decode_task_event(data: Any) -> TaskEvent:
    is_end = data.get("Type") == "Terminated"
    number = data.get("Signal") or None
    return TaskEvent(
        type=data.get("Type", ""),
        at=data.get("Time", 0) / _NANOSECONDS,
        message=data.get("DisplayMessage", ""),
        # The executor reports 128 + N for a signal; the signal says it all.
        exit_code=data.get("ExitCode", 0) if is_end and number is None else None,
        exit_signal=number if is_end else None,
    )


def decode_time(text: str | None) -> float | None:
    """RFC 3339 with up to nine decimals as seconds since the epoch; Go's zero time is ``None``."""
    if not text or text.startswith("0001-"):
        return None
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")
    # Python 3.11 reads three or six decimals, Go leaves trailing zeros out.
    padded = re.sub(r"\.(\d{1,5})(?=[+-])", lambda found: f".{found[1]:0<6}", shortened)
    return datetime.fromisoformat(padded).timestamp()


def decode_evaluations(data: Any) -> list[Evaluation]:
    """``GET /v1/job/ID/evaluations``."""
    return [
        Evaluation(
            id=item["ID"],
            status=item.get("Status", ""),
            create_index=item.get("CreateIndex", 0),
            refusals={
                group: describe_refusal(metric)
                for group, metric in (item.get("FailedTGAllocs") or {}).items()
            },
        )
        for item in data or ()
    ]


def describe_refusal(metric: Any) -> str:
    """Why the scheduler found no place for a group, in our words."""
    exhausted = metric.get("DimensionExhausted") or {}
    filtered = metric.get("ConstraintFiltered") or {}
    reasons = []
    for dimension in sorted(exhausted):
        port = re.search(r"reserved port collision \S+=(\d+)", dimension)
        if port:
            reasons.append(f"port {port[1]} is taken by another service of Nomad")
        elif dimension.startswith("network:"):
            reasons.append(f"no network for it ({dimension.partition(': ')[2]})")
        else:
            reasons.append(f"not enough {dimension} is left")
    for constraint in sorted(filtered):
        if "attr.consul" in constraint:
            reasons.append("Nomad does not see Consul yet")
        elif constraint == "missing drivers":
            reasons.append("no node runs commands (driver raw_exec)")
        else:
            reasons.append(f"no node meets `{constraint}`")
    if not reasons:
        reasons.append(
            "no node is ready" if not metric.get("NodesEvaluated") else "no node can take it"
        )
    return f"Nomad has no place for it: {', '.join(reasons)}"


def decode_event_batch(data: Any) -> EventBatch:
    """One object of ``GET /v1/event/stream``."""
    return EventBatch(
        index=data.get("Index", 0),
        topics=frozenset(event.get("Topic", "") for event in data.get("Events") or ()),
    )
