"""From facts to state: what every instance, every service and the stack are, and why, in one line each.

A pure function of the newest facts: in which order they arrived does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.comeback import describe_comeback
from prismctl.domain.needs import Condition
from prismctl.domain.observation import (
    ComponentState,
    InstanceKey,
    Phase,
    describe_hopeless,
    is_about_hopeless,
)
from prismctl.domain.rates import NO_TRAFFIC, Traffic
from prismctl.domain.service import Runtime
from prismctl.domain.setback import describe_state
from prismctl.domain.snapshot import (
    InstanceSnapshot,
    ServiceSnapshot,
    ServiceState,
    StackSnapshot,
    StackState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.needs import Need
    from prismctl.domain.observation import InstanceObservation, WorldView
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.domain.stack_history import StackHistory


class _Moment(NamedTuple):
    """All that is known while a snapshot is folded."""

    world: WorldView
    now: float
    history: StackHistory
    folded: Mapping[ServiceName, ServiceSnapshot]
    """The services that come before the one at hand, and so all it depends on."""
    present: Mapping[ServiceName, Sequence[InstanceKey]]
    """The instances of which something is known, by service."""


_CONTAINER_START_SECONDS: Final = 30.0
"""How long a container without a check may be on its way: it takes longer than a process to begin."""
_SCALED_TO_NONE: Final = "scaled to 0"
_SETTLED_PHASES: Final = {
    Phase.COMPLETED: ServiceState.COMPLETED,
    Phase.STOPPING: ServiceState.STOPPING,
    Phase.STOPPED: ServiceState.STOPPED,
}

_WORST_FIRST: Final = (
    ServiceState.UNHEALTHY,
    ServiceState.STARTING,
    ServiceState.WAITING,
    ServiceState.STOPPING,
    ServiceState.STOPPED,
    ServiceState.HEALTHY,
)


def fold_snapshot(
    plan: StackPlan, world: WorldView, now: float, history: StackHistory
) -> StackSnapshot:
    """The state of a stack.

    Args:
        plan: what shall run.
        world: the newest facts.
        now: seconds since the epoch.
        history: what led here.
    """
    services: dict[ServiceName, ServiceSnapshot] = {}
    present: dict[ServiceName, list[InstanceKey]] = {}
    for key in world.instances:
        present.setdefault(key.service, []).append(key)
    # The plan's order puts every service after what it depends on: a failure travels down in one pass.
    for service in plan.services:
        moment = _Moment(world, now, history, services, present)
        services[service.name] = _fold_service(service, moment)
    folded = tuple(services.values())
    return StackSnapshot(
        stack=plan.stack,
        engine=plan.engine.value,
        state=_fold_stack(folded, history),
        services=folded,
        origin=plan.origin,
        started_at=history.started_at,
        apply_seconds=history.apply_seconds,
        ready_seconds=history.ready_seconds,
        memory_limit_bytes=history.memory_limit_bytes,
        endpoints=dict(history.endpoints),
        components=fold_components(world),
        notes=(*_describe_comebacks(history, now), *history.notes),
    )


def _describe_comebacks(history: StackHistory, now: float) -> list[str]:
    return [describe_comeback(name, each, now) for name, each in sorted(history.comebacks.items())]


def fold_components(world: WorldView) -> dict[str, str]:
    """The state of each of the engine's agents, by name."""
    return {
        name: (
            ComponentState.SUSPENDED
            if seen.state is ComponentState.READY and name in world.suspended_components
            else seen.state
        ).value
        for name, seen in sorted(world.components.items())
    }


def _fold_stack(services: tuple[ServiceSnapshot, ...], history: StackHistory) -> StackState:
    if history.is_stopping:
        return StackState.STOPPING
    if not history.has_settled and _is_on_its_way(services):
        return StackState.STARTING
    if all(service.is_good for service in services):
        return StackState.RUNNING
    if not any(service.is_good for service in services):
        is_hopeless = all(service.state is ServiceState.FAILED for service in services)
        return StackState.FAILED if is_hopeless else StackState.DEGRADED
    is_lost = any(
        service.state in {ServiceState.FAILED, ServiceState.UNHEALTHY}
        or (not service.is_good and service.name in history.healthy_after_seconds)
        for service in services
    )
    return StackState.DEGRADED if is_lost else StackState.RUNNING


def _is_on_its_way(services: tuple[ServiceSnapshot, ...]) -> bool:
    """Whether something may still be up in good time: what took too long already, and what waits for that, may not."""
    overdue: set[ServiceName] = set()
    for service in services:
        if service.is_settled:
            continue
        is_held_up = service.state is ServiceState.WAITING and not overdue.isdisjoint(
            service.depends_on
        )
        if service.state is not ServiceState.UNHEALTHY and not is_held_up:
            return True
        overdue.add(service.name)
    return False


def _fold_service(service: ServicePlan, moment: _Moment) -> ServiceSnapshot:
    world, history = moment.world, moment.history
    wanted = [InstanceKey(service.name, replica) for replica in range(service.replicas)]
    surplus = sorted(
        key
        for key in moment.present.get(service.name, ())
        if key.replica >= service.replicas
        and world.instances[key].phase not in {Phase.STOPPED, Phase.COMPLETED}
    )
    instances = tuple(_fold_instance(service, key, moment) for key in (*wanted, *surplus))
    counted = instances[: len(wanted)]
    if wanted or history.is_stopping:
        state, reason = _combine(counted)
    else:
        state = ServiceState.STOPPING if surplus else ServiceState.STOPPED
        reason = _SCALED_TO_NONE
    last_error = history.last_errors.get(service.name)
    if last_error is None and state in {ServiceState.UNHEALTHY, ServiceState.FAILED}:
        last_error = reason or None
    restarts = sum(instance.restarts for instance in instances)
    setback = history.setbacks.get(service.name)
    shown = describe_state(
        state=state,
        reason=reason,
        last_error=last_error,
        is_running=bool(instances) and instances[0].pid is not None,
        has_replicas=service.replicas > 1,
        restarts=restarts,
        setback=setback if not history.is_stopping else None,
        now=moment.now,
    )
    return ServiceSnapshot(
        name=service.name,
        type=service.type.value,
        runtime=service.runtime.value,
        runtime_reason=service.runtime_reason,
        state=state,
        reason=reason,
        replicas_wanted=service.replicas,
        instances=instances,
        ports=service.ports,
        restarts=restarts,
        depends_on=service.depends_on,
        last_error=last_error,
        setback=setback,
        note=shown.note,
        alarm=shown.alarm,
        healthy_after_seconds=history.healthy_after_seconds.get(service.name),
        traffic=_fold_traffic(world.traffic.get(service.name, NO_TRAFFIC), counted),
        source=service.source,
    )


def _fold_traffic(traffic: Traffic, instances: tuple[InstanceSnapshot, ...]) -> Traffic:
    """The figures, as long as somebody is there whom they are about."""
    is_alive = any(instance.pid is not None for instance in instances)
    return traffic if is_alive else Traffic(unit=traffic.unit)


def _combine(instances: tuple[InstanceSnapshot, ...]) -> tuple[ServiceState, str]:
    if not instances:
        return ServiceState.STOPPED, ""
    states = {instance.state for instance in instances}
    if len(states) == 1:
        return instances[0].state, instances[0].reason
    has_good = any(state.is_good for state in states)
    if ServiceState.FAILED in states:
        state = ServiceState.UNHEALTHY if has_good else ServiceState.FAILED
        culprit = next(each for each in instances if each.state is ServiceState.FAILED)
    else:
        state = next(each for each in _WORST_FIRST if each in states)
        culprit = next(each for each in instances if each.state is state)
    good = sum(instance.state.is_good for instance in instances)
    reason = f"{good} of {len(instances)} healthy; instance {culprit.index}: "
    return state, reason + (culprit.reason or culprit.state.value)


def _fold_instance(service: ServicePlan, key: InstanceKey, moment: _Moment) -> InstanceSnapshot:
    observation = moment.world.instances.get(key)
    usage = moment.world.usage.get(key)
    if observation is None:
        state, reason = _judge_absent(service, moment)
        return InstanceSnapshot(index=key.replica, state=state, reason=reason, ports=service.ports)
    state, reason = _judge(service, observation, moment)
    is_alive = observation.pid is not None
    return InstanceSnapshot(
        index=key.replica,
        state=state,
        reason=reason,
        pid=observation.pid,
        started_at=observation.started_at,
        restarts=observation.restarts,
        ports=observation.ports or service.ports,
        memory_bytes=usage.memory_bytes if usage and is_alive else None,
        cpu_percent=usage.cpu_percent if usage and is_alive else None,
    )


def _judge(
    service: ServicePlan, seen: InstanceObservation, moment: _Moment
) -> tuple[ServiceState, str]:
    if seen.phase in _SETTLED_PHASES:
        return _SETTLED_PHASES[seen.phase], seen.message
    if seen.phase is Phase.WAITING:
        state, reason = _judge_absent(service, moment)
        return state, reason or seen.message
    if seen.phase is Phase.FAILED:
        if is_about_hopeless(seen.message):
            state, reason = _judge_absent(service, moment)
            return ServiceState.FAILED, reason if state is ServiceState.FAILED else seen.message
        known = seen.obstacle or seen.message
        return ServiceState.FAILED, known or f"{_describe_crashes(seen)}; not tried again"
    if seen.phase is Phase.BACKOFF:
        return _judge_backoff(service, seen, moment)
    return _judge_running(service, seen, moment)


def _judge_running(
    service: ServicePlan, seen: InstanceObservation, moment: _Moment
) -> tuple[ServiceState, str]:
    usage = moment.world.usage.get(seen.key)
    if usage is not None and usage.hold and seen.pid is not None:
        return ServiceState.UNHEALTHY, usage.hold
    if usage is not None and usage.is_suspended and seen.pid is not None:
        return (
            ServiceState.UNHEALTHY,
            f"suspended by SIGSTOP; `kill -CONT {seen.pid}` lets it go on",
        )
    age = max(0.0, moment.now - seen.started_at) if seen.started_at is not None else 0.0
    if usage is not None and usage.death and seen.pid is not None:
        # While it starts, how it ended decides what becomes of it, and that is about to be told.
        is_early = seen.key not in moment.world.healthy_since and age < _start_period(service)
        is_open = service.one_shot or is_early
        return (ServiceState.STARTING if is_open else ServiceState.UNHEALTHY), usage.death
    if service.one_shot:
        return ServiceState.STARTING, "runs until it is done"
    if service.check is None:
        # Who asks sees to the time; age alone would call something healthy whose end is not known yet.
        probe = moment.world.probes.get(seen.key)
        is_up = probe is not None and probe.run == seen.run and probe.is_ok
        said = probe.message if probe is not None and not is_up else ""
        return (ServiceState.HEALTHY if is_up else ServiceState.STARTING), said
    return _judge_answers(seen, moment, is_early=age < service.check.start_period_seconds)


def _judge_absent(service: ServicePlan, moment: _Moment) -> tuple[ServiceState, str]:
    """An instance of which there is no process yet, or none any more."""
    if moment.history.is_stopping:
        return ServiceState.STOPPED, ""
    missing = [
        moment.folded[name]
        for name in service.depends_on
        if name in moment.folded and not _is_met(name, service.need_of(name), moment)
    ]
    for dependency in missing:
        if dependency.state is ServiceState.FAILED:
            reason = dependency.reason
            # The root is what has to be put right, however long the chain down from it is.
            if not is_about_hopeless(reason):
                reason = describe_hopeless(dependency.name, reason=reason)
            return ServiceState.FAILED, reason
    waits_for = [dependency.name for dependency in missing]
    if waits_for:
        return ServiceState.WAITING, f"waits for {', '.join(waits_for)}"
    return ServiceState.WAITING, ""


def _is_met(name: ServiceName, need: Need, moment: _Moment) -> bool:
    """Whether what is needed of a service is so, or is not waited for any more."""
    found = moment.folded[name]
    # Who had it stand still wants to see how the others do without.
    if found.is_good or (found.state is ServiceState.FAILED and not need.is_required):
        return True
    if need.condition is not Condition.STARTED:
        return False
    return any(moment.world.instances[key].has_begun for key in moment.present.get(name, ()))


def _judge_backoff(
    service: ServicePlan, seen: InstanceObservation, moment: _Moment
) -> tuple[ServiceState, str]:
    now, history = moment.now, moment.history
    reason = _describe_crashes(seen)
    if seen.next_start_at is not None:
        reason += f", next try in {max(0.0, seen.next_start_at - now):.1f} s"
    is_early = (
        service.name not in history.healthy_after_seconds
        and history.applied_at is not None
        and now - history.applied_at < _start_period(service)
    )
    return (ServiceState.STARTING if is_early else ServiceState.UNHEALTHY), reason


def _judge_answers(
    seen: InstanceObservation, moment: _Moment, *, is_early: bool
) -> tuple[ServiceState, str]:
    """A running instance, by what it said when it was asked."""
    probe = moment.world.probes.get(seen.key)
    if probe is not None and probe.run != seen.run:
        probe = None
    has_answered = seen.key in moment.world.healthy_since
    if (probe is None and has_answered) or (probe is not None and probe.is_ok):
        return ServiceState.HEALTHY, ""
    if probe is not None and has_answered:
        return ServiceState.UNHEALTHY, probe.message or "does not answer"
    if probe is None:
        # Not even one that has long been running is called unhealthy before it had a chance to answer.
        return ServiceState.STARTING, "" if is_early else "was not asked yet"
    state = ServiceState.STARTING if is_early else ServiceState.UNHEALTHY
    # As old as it was when it was asked: the line stands still between two questions.
    asked_after = max(0.0, probe.at - seen.started_at) if seen.started_at is not None else 0.0
    return state, f"{probe.message or 'no answer'}, {asked_after:.1f} s"


def _start_period(service: ServicePlan) -> float:
    if service.check is None and service.runtime is Runtime.CONTAINER:
        return _CONTAINER_START_SECONDS
    return service.check.start_period_seconds if service.check else service.min_uptime_seconds


def _describe_crashes(seen: InstanceObservation) -> str:
    times = seen.restarts + 1
    if seen.obstacle:
        return seen.obstacle
    return _say_often(seen.ending, times) if times > 1 else seen.ending


def _say_often(ending: str, times: int) -> str:
    """How so many runs ended, in words: ``exited 6 times with code 3``."""
    for verb in ("exited", "was killed", "could not be started", "ended"):
        if ending.startswith(verb):
            return f"{verb} {times} times{ending.removeprefix(verb)}"
    return f"{ending}, {times} times"
