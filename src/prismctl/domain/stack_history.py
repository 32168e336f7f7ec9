"""How a stack came to be where it is: what the present facts do not say, and how it grows with what happens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.comeback import Comeback
from prismctl.domain.plan import compare_plans
from prismctl.domain.setback import Setback
from prismctl.domain.snapshot import ServiceState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.observation import InstanceObservation
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot

MAX_NOTES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StackHistory:
    """From the start of the stack on; a daemon leaves it to the one after it."""

    started_at: float | None = None
    """When the command that started it began."""
    applied_at: float | None = None
    """When the plan was handed to the engine."""
    apply_seconds: float | None = None
    ready_seconds: float | None = None
    has_settled: bool = False
    """There was a moment at which nothing was waited for: from then on, what is not up is a loss."""
    is_stopping: bool = False
    healthy_after_seconds: Mapping[ServiceName, float] = field(default_factory=dict)
    """When each service was healthy for the first time, from the plan being handed over."""
    last_errors: Mapping[ServiceName, str] = field(default_factory=dict)
    """How the latest run that went wrong ended, or the last probe error."""
    setbacks: Mapping[ServiceName, Setback] = field(default_factory=dict)
    """When the latest run ended that did so by itself."""
    comebacks: Mapping[str, Comeback] = field(default_factory=dict)
    """When everything was started anew because what ran it was lost, by component."""
    memory_limit_bytes: int = 0
    endpoints: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def add_note(history: StackHistory, note: str) -> StackHistory:
    """With one more thing that somebody who looks at the stack should know; only the newest are kept."""
    return replace(history, notes=(*history.notes, note)[-MAX_NOTES:])


def add_comeback(history: StackHistory, name: str, lost_at: float, now: float) -> StackHistory:
    """A component is back, and everything that it ran was started anew."""
    known = history.comebacks
    times = known[name].times + 1 if name in known else 1
    comeback = Comeback(lost_at=lost_at, seconds=now - lost_at, times=times)
    return replace(history, comebacks={**known, name: comeback})


def add_setback(history: StackHistory, seen: InstanceObservation, now: float) -> StackHistory:
    """A run ended by itself; ``now`` counts where nobody knows when."""
    service, replica = seen.key
    at = seen.exited_at if seen.exited_at is not None else now
    return replace(
        history,
        last_errors={**history.last_errors, service: seen.ending},
        setbacks={**history.setbacks, service: Setback(at=at, instance=replica)},
    )


def advance(history: StackHistory, snapshot: StackSnapshot, now: float) -> StackHistory:
    """With what a snapshot shows for the first time; the same object where that is nothing."""
    applied_at = history.applied_at or now
    fresh = {
        service.name: now - applied_at
        for service in snapshot.services
        if service.state.is_good and service.name not in history.healthy_after_seconds
    }
    if fresh:
        known = {**history.healthy_after_seconds, **fresh}
        history = replace(history, healthy_after_seconds=known)
    errors = {
        service.name: service.reason
        for service in snapshot.services
        if service.state in {ServiceState.UNHEALTHY, ServiceState.FAILED}
        and service.reason
        and service.name not in history.last_errors
    }
    if errors:
        history = replace(history, last_errors={**history.last_errors, **errors})
    is_settled = bool(snapshot.services) and all(
        service.is_settled for service in snapshot.services
    )
    if is_settled and not history.has_settled:
        history = replace(history, has_settled=True)
        if history.apply_seconds is None and not snapshot.has_failed:
            began_at = history.started_at or applied_at
            history = replace(history, apply_seconds=now - applied_at, ready_seconds=now - began_at)
    return history


def continue_history(
    history: StackHistory, before: StackPlan, plan: StackPlan, now: float
) -> StackHistory:
    """Another plan is handed over in the place of ``before``: what is true of services it does not touch stays so."""
    changes = compare_plans(before, plan)
    untouched = set(plan.names) - {*changes.added, *changes.changed}
    return replace(
        history,
        applied_at=now,
        has_settled=False,
        healthy_after_seconds={
            name: seconds
            for name, seconds in history.healthy_after_seconds.items()
            if name in untouched
        },
        last_errors={
            name: error for name, error in history.last_errors.items() if name in untouched
        },
        setbacks={name: setback for name, setback in history.setbacks.items() if name in untouched},
    )
