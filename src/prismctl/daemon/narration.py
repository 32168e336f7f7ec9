"""What is worth telling about a change: events from two observations or two snapshots, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.events import EventKind
from prismctl.domain.observation import ComponentState, Phase
from prismctl.domain.snapshot import ServiceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.observation import ComponentObservation, InstanceObservation
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import ServiceSnapshot, StackSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An event that has no number yet."""

    kind: EventKind
    service: str = ""
    instance: int | None = None
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)


_KIND_OF_STATE: Final = {
    ServiceState.WAITING: EventKind.SERVICE_WAITING,
    ServiceState.HEALTHY: EventKind.SERVICE_HEALTHY,
    ServiceState.UNHEALTHY: EventKind.SERVICE_UNHEALTHY,
    ServiceState.FAILED: EventKind.SERVICE_FAILED,
    ServiceState.COMPLETED: EventKind.SERVICE_COMPLETED,
}
_KIND_OF_PHASE: Final = {
    Phase.STOPPING: EventKind.SERVICE_STOPPING,
    Phase.STOPPED: EventKind.SERVICE_STOPPED,
}
_KIND_OF_COMPONENT: Final = {
    ComponentState.STARTING: EventKind.COMPONENT_STARTING,
    ComponentState.READY: EventKind.COMPONENT_READY,
    ComponentState.LOST: EventKind.COMPONENT_LOST,
}


def narrate_instance(
    before: InstanceObservation | None, after: InstanceObservation
) -> list[Telling]:
    """A run that ended by itself or on purpose, and a run that began: told at once, so in the right order."""
    told = []
    service, replica = after.key
    kind = _KIND_OF_PHASE.get(after.phase)
    if kind is not None and (before is None or before.phase is not after.phase):
        told.append(Telling(kind=kind, service=service, instance=replica))
    was_up = before is not None and before.phase in {Phase.RUNNING, Phase.BACKOFF}
    has_ended = after.exited_at is not None and (
        before is None or after.exited_at != before.exited_at
    )
    if was_up and has_ended and after.phase not in {Phase.STOPPING, Phase.STOPPED}:
        details: dict[str, Any] = {"restarts": after.restarts}
        if after.exit_code is not None:
            details["exit_code"] = after.exit_code
        if after.exit_signal is not None:
            details["signal"] = after.exit_signal
        told.append(
            Telling(
                kind=EventKind.SERVICE_EXITED,
                service=service,
                instance=replica,
                message=after.ending,
                details=details,
            )
        )
    # An instance may have a run of its own while it still waits for others.
    is_new_run = before is None or before.run != after.run or before.phase is Phase.WAITING
    if after.phase is Phase.RUNNING and is_new_run:
        told.append(
            Telling(
                kind=EventKind.SERVICE_STARTING,
                service=service,
                instance=replica,
                details={"pid": after.pid, "restarts": after.restarts},
            )
        )
    return told


def narrate_component(
    before: ComponentObservation | None, after: ComponentObservation
) -> list[Telling]:
    """An agent that changed its state, or of which there is something else to say in the same one."""
    kind = _KIND_OF_COMPONENT.get(after.state)
    is_told = before is not None and (
        before.state is after.state and after.message in {"", before.message}
    )
    if kind is None or is_told:
        return []
    details: dict[str, Any] = {}
    if after.pid is not None:
        details["pid"] = after.pid
    if after.seconds is not None:
        details["seconds"] = round(after.seconds, 3)
    return [Telling(kind=kind, service=after.name, message=after.message, details=details)]


def narrate_snapshots(
    before: StackSnapshot | None,
    after: StackSnapshot,
    seconds: Mapping[ServiceName, float],
) -> list[Telling]:
    """Services that changed their state, in start order; ``seconds`` is how long those took that came up."""
    old = {service.name: service for service in before.services} if before else {}
    told = []
    for service in after.services:
        previous = old.get(service.name)
        if previous is None or previous.state is not service.state:
            told += _narrate_state(service, seconds.get(service.name))
    return told


def _narrate_state(service: ServiceSnapshot, seconds: float | None) -> list[Telling]:
    kind = _KIND_OF_STATE.get(service.state)
    if kind is None:
        return []
    details: dict[str, Any] = {}
    if service.state.is_good and seconds is not None:
        details["seconds"] = round(seconds, 3)
    if service.restarts:
        details["restarts"] = service.restarts
    return [Telling(kind=kind, service=service.name, message=service.reason, details=details)]
