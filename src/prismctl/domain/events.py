"""What happened to a stack, one immutable value each: the log of its life, and what front ends narrate."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """Names are stable: they are the ``kind`` of ``prismctl dev events``."""

    PLAN_ACCEPTED = "plan.accepted"
    COMPONENT_STARTING = "component.starting"
    """An agent of the engine (consul, nomad) is being started."""
    COMPONENT_READY = "component.ready"
    COMPONENT_LOST = "component.lost"
    """An agent, the keeper or the daemon ended without being asked to."""
    DASHBOARD_READY = "dashboard.ready"
    """The page is served, at an address that the message names; or nowhere, which it says."""
    SWEPT = "swept"
    """Leftovers of an earlier run were ended."""
    IMAGE_PULLING = "image.pulling"
    """The image of a service is being fetched."""
    IMAGE_PULLED = "image.pulled"
    SERVICE_WAITING = "service.waiting"
    SERVICE_STARTING = "service.starting"
    """A process of the service exists."""
    SERVICE_HEALTHY = "service.healthy"
    SERVICE_UNHEALTHY = "service.unhealthy"
    SERVICE_EXITED = "service.exited"
    SERVICE_FAILED = "service.failed"
    """It is not tried again."""
    SERVICE_COMPLETED = "service.completed"
    SERVICE_RELOADING = "service.reloading"
    """Files that it is made from have changed: it is about to be restarted."""
    SERVICE_STOPPING = "service.stopping"
    SERVICE_STOPPED = "service.stopped"
    STACK_READY = "stack.ready"
    STACK_STOPPING = "stack.stopping"
    STACK_STOPPED = "stack.stopped"
    LOG_LOST = "log.lost"
    DATA_RESET = "data.reset"
    """A service begins without data; what it had was put aside."""
    DATA_RESTORED = "data.restored"
    DATA_SAVED = "data.saved"
    """A snapshot was taken."""
    DATA_SETTLED = "data.settled"
    """A change of data that a crash had interrupted was carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """One thing that happened."""

    sequence: int
    """Counts up from 1 within the life of a stack."""
    time: float
    """Seconds since the epoch."""
    kind: EventKind
    service: str = ""
    """The service or component it happened to; empty for the stack."""
    instance: int | None = None
    message: str = ""
    """For people: one line."""
    details: dict[str, Any] = field(default_factory=dict)
    """For programs: ``pid``, ``exit_code``, ``signal``, ``seconds``, ``restarts`` where they apply."""


def event_to_json(event: StackEvent) -> dict[str, Any]:
    """The form in which an event crosses the socket."""
    return {
        "sequence": event.sequence,
        "time": event.time,
        "kind": event.kind.value,
        "service": event.service,
        "instance": event.instance,
        "message": event.message,
        "details": event.details,
    }


def event_from_json(data: dict[str, Any]) -> StackEvent:
    """The event that `event_to_json` wrote."""
    return StackEvent(
        sequence=data["sequence"],
        time=data["time"],
        kind=EventKind(data["kind"]),
        service=data["service"],
        instance=data["instance"],
        message=data["message"],
        details=data["details"],
    )
