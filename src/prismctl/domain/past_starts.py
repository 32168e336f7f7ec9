"""What is remembered of a start that came up: how long its parts took, so that the next one can be foretold.

The time that a user waits has two parts, and neither knows of the other:

* the *lead*: from the command's own beginning until the engine can start services. Planning, the daemon and the engine's
  agents are in it, whichever of them was last;
* each service's own time: from the moment everything it waits for was there until it was good.

Along the chain that was slowest, lead and own times add up to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.events import EventKind
from prismctl.domain.snapshot import StackState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prismctl.domain.events import StackEvent
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot

_UNUSUAL: frozenset[EventKind] = frozenset({EventKind.COMPONENT_LOST, EventKind.SERVICE_FAILED})
"""What does not happen in a start that says something about the next one."""


class Part(NamedTuple):
    """What of a service decides how long it takes: two starts of the same parts are the same start."""

    name: str
    runtime: str
    replicas: int = 1
    has_kept_data: bool = False
    """It found the data of an earlier run, and had none to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastService:
    """One service of a start that came up."""

    name: str
    runtime: str
    seconds: float
    """From all it waits for being there until it was good."""
    replicas: int = 1
    has_kept_data: bool = False
    memory_bytes: int | None = None
    """Of one instance with its children (PSS), measured later; ``None``: it never was."""

    @property
    def part(self) -> Part:
        """What it is compared by."""
        return Part(self.name, self.runtime, self.replicas, self.has_kept_data)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAgent:
    """One of the engine's agents in a start that came up."""

    name: str
    seconds: float | None
    """From its own beginning until it was ready; ``None``: nobody measured it."""
    is_cold: bool
    """It got ready while the start waited for it, and was not there already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStart:
    """A start of a whole stack that came up."""

    started_at: float
    """When the command began, in seconds since the epoch; with the stack, its name."""
    stack: str
    engine: str
    origin: str
    ready_seconds: float
    """From the command's own beginning until all was ready: what the user saw, less what a machine does once."""
    lead_seconds: float
    """From there until the engine could start services."""
    has_pulled: bool = False
    """Images were fetched in it: how long that takes, no machine knows."""
    agents: tuple[PastAgent, ...] = ()
    services: tuple[PastService, ...] = ()
    """In start order."""

    @property
    def is_cold(self) -> bool:
        """Whether it had to wait for an agent."""
        return any(agent.is_cold for agent in self.agents)

    @property
    def parts(self) -> frozenset[Part]:
        """What was started."""
        return frozenset(service.part for service in self.services)


def awaited_of(service: ServicePlan) -> tuple[ServiceName, ...]:
    """What a service waits for until it is good; what only has to have begun takes no time."""
    return tuple(name for name in service.depends_on if service.need_of(name).is_told_by_health)


def describe_start(
    plan: StackPlan, snapshot: StackSnapshot, events: Iterable[StackEvent]
) -> PastStart | None:
    """What is to be remembered of a start; ``None`` where it is none, or says nothing about the next one.

    A change of a stack that runs is no start, and one in which something failed or an agent was lost is like no other.

    Args:
        plan: what was started.
        snapshot: in which all of it is up.
        events: of the stack's whole life.
    """
    told = list(events)
    accepted = [event for event in told if event.kind is EventKind.PLAN_ACCEPTED]
    seconds = {
        each.name: each.healthy_after_seconds
        for each in snapshot.services
        if each.healthy_after_seconds is not None
    }
    if (
        snapshot.state is not StackState.RUNNING
        or snapshot.started_at is None
        or snapshot.ready_seconds is None
        or snapshot.apply_seconds is None
        or len(accepted) != 1
        or any(event.kind in _UNUSUAL for event in told)
        or any(service.name not in seconds for service in plan.services)
    ):
        return None
    began_at = snapshot.started_at
    accepted_seconds = max(0.0, snapshot.ready_seconds - snapshot.apply_seconds)
    agents, agents_seconds = _describe_agents(told, began_at)
    lead_seconds = min(max(accepted_seconds, agents_seconds), snapshot.ready_seconds)
    # What a machine does once says nothing about the next start; agents came up meanwhile.
    usual_lead = min(max(accepted_seconds - plan.once_seconds, agents_seconds, 0.0), lead_seconds)
    kept = accepted[0].details.get("kept") or ()
    good_at = {name: accepted_seconds + after for name, after in seconds.items()}
    return PastStart(
        started_at=began_at,
        stack=plan.stack,
        engine=plan.engine.value,
        origin=plan.origin,
        ready_seconds=snapshot.ready_seconds - (lead_seconds - usual_lead),
        lead_seconds=usual_lead,
        has_pulled=any(event.kind is EventKind.IMAGE_PULLING for event in told),
        agents=agents,
        services=tuple(
            PastService(
                name=service.name,
                runtime=service.runtime.value,
                seconds=_own_seconds(service, good_at, lead_seconds),
                replicas=service.replicas,
                has_kept_data=service.name in kept,
            )
            for service in plan.services
        ),
    )


def _describe_agents(
    events: Sequence[StackEvent], began_at: float
) -> tuple[tuple[PastAgent, ...], float]:
    """The agents, and when the last of them was ready, in seconds from the beginning."""
    ready = {event.service: event for event in events if event.kind is EventKind.COMPONENT_READY}
    agents = tuple(
        PastAgent(name=name, seconds=event.details.get("seconds"), is_cold=event.time > began_at)
        for name, event in ready.items()
    )
    return agents, max((event.time - began_at for event in ready.values()), default=0.0)


def _own_seconds(
    service: ServicePlan, good_at: dict[ServiceName, float], lead_seconds: float
) -> float:
    awaited = (good_at[name] for name in awaited_of(service) if name in good_at)
    return max(0.0, good_at[service.name] - max(awaited, default=lead_seconds))
