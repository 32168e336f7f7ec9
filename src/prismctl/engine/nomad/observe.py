"""What Nomad says of an allocation and what the shim says of its process, folded into one word on the instance; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.observation import (
    InstanceKey,
    InstanceObservation,
    Phase,
    describe_exit,
    describe_hopeless,
)
from prismctl.runtime.refusal import EXIT_REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prismctl.domain.needs import Need
    from prismctl.domain.plan import Port, ServicePlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.nomad.decode import Allocation, TaskState
    from prismctl.engine.nomad.environment_files import Run

_TROUBLE = ("Driver Failure", "Setup Failure", "Failed Validation", "Artifact Download Failed")
"""Events that say why a task never became a process."""


def fold_instance(
    key: InstanceKey,
    service: ServicePlan,
    *,
    allocations: Sequence[Allocation],
    run: Run | None,
    is_run_alive: bool,
    ports: tuple[Port, ...] = (),
    refusal: str = "",
    hopeless: Collection[tuple[ServiceName, Need]] = (),
    is_refused: bool = False,
    asked_restarts: Callable[[str], int] = lambda _: 0,
) -> InstanceObservation:
    """One instance as it is now.

    ``allocations`` are those of its group; ``refusal`` says why the scheduler found no place; ``hopeless`` is
    what is needed of services and can never be; ``is_refused``: its guard wrote down why it is not started;
    ``asked_restarts`` says of an allocation how many of its restarts were no crash.
    """
    allocations = [_without_asked(item, asked_restarts(item.id)) for item in allocations]
    allocation = choose_allocation(allocations)
    task = allocation.tasks.get(service.name) if allocation else None
    if run is not None and is_run_alive:
        owner = next((item for item in allocations if item.id == run.allocation), None)
        if owner is None or owner.id == getattr(allocation, "id", None) or not owner.is_terminal:
            state = owner.tasks.get(service.name) if owner else None
            return _fold_living(key, service, owner, state, run=run, ports=ports, hopeless=hopeless)
    if is_refused and run and allocation and run.allocation == allocation.id:
        # Nomad tries as often as it always does, and the shim ends at once each time: none of that is a run.
        return _observe_refused(key, allocation, task, ports)
    phase, message = _judge(service, allocation, task, run, refusal)
    hopeless_needs = _find_hopeless(service, hopeless)
    if phase is Phase.WAITING and hopeless_needs:
        phase, message = Phase.FAILED, describe_hopeless(*hopeless_needs)
    # Still the same run, although its process is gone.
    ended = run if phase is Phase.RUNNING else None
    return _observation(key, phase, allocation, task, message=message, ports=ports, run=ended)


def _without_asked(allocation: Allocation, asked: int) -> Allocation:
    """The allocation as if nobody had asked for a restart of its tasks."""
    if not asked:
        return allocation
    tasks = {
        name: replace(task, restarts=max(0, task.restarts - asked))
        for name, task in allocation.tasks.items()
    }
    return replace(allocation, tasks=tasks)


def choose_allocation(allocations: Sequence[Allocation]) -> Allocation | None:
    """The allocation that counts: the newest that shall run, else the newest."""
    return max(
        allocations, key=lambda item: (item.desired == "run", item.create_index), default=None
    )


def _find_hopeless(
    service: ServicePlan, hopeless: Collection[tuple[ServiceName, Need]]
) -> list[ServiceName]:
    return [name for name in service.depends_on if (name, service.need_of(name)) in hopeless]


def _fold_living(
    key: InstanceKey,
    service: ServicePlan,
    owner: Allocation | None,
    task: TaskState | None,
    *,
    run: Run,
    ports: tuple[Port, ...],
    hopeless: Collection[tuple[ServiceName, Need]],
) -> InstanceObservation:
    if owner is not None and owner.desired != "run":
        phase, message = Phase.STOPPING, ""
    elif run.doing == "running":
        phase, message = Phase.RUNNING, ""
    elif run.doing == "failed":
        phase, message = Phase.BACKOFF, run.detail
    else:
        phase, message = Phase.WAITING, f"waits for {run.detail} in Consul"
        hopeless_needs = _find_hopeless(service, hopeless)
        if hopeless_needs:
            phase, message = Phase.FAILED, describe_hopeless(*hopeless_needs)
    is_service = phase in {Phase.RUNNING, Phase.STOPPING} and run.doing == "running"
    return _observation(
        key, phase, owner, task, message=message, ports=ports, run=run, is_service=is_service
    )


def _observe_refused(
    key: InstanceKey, allocation: Allocation, task: TaskState | None, ports: tuple[Port, ...]
) -> InstanceObservation:
    if allocation.desired != "run":
        phase = Phase.STOPPED if allocation.is_terminal else Phase.STOPPING
    else:
        phase = Phase.FAILED
    ends = [event for event in task.events if event.type == "Terminated"] if task else []
    first = next((end for end in ends if end.exit_code == EXIT_REFUSED), None)
    return InstanceObservation(
        key=key,
        phase=phase,
        exit_code=EXIT_REFUSED,
        exited_at=first.at if first else None,
        ports=ports,
        run=f"{allocation.id[:8]}/refused",
    )


def _judge(
    service: ServicePlan,
    allocation: Allocation | None,
    task: TaskState | None,
    run: Run | None,
    refusal: str,
) -> tuple[Phase, str]:
    """Where an instance without a living process is, and why."""
    result: tuple[Phase, str] = Phase.WAITING, refusal or "is being started by Nomad"
    if allocation is None:
        result = Phase.WAITING, refusal or "waits for Nomad to place it"
    elif allocation.desired != "run":
        result = (Phase.STOPPED if allocation.is_terminal else Phase.STOPPING), ""
    elif allocation.status == "failed" or (task and task.state == "dead" and task.is_failed):
        result = Phase.FAILED, _describe_failure(task, allocation, run)
    elif task and task.state == "dead":
        result = (Phase.COMPLETED if service.one_shot else Phase.STOPPED), ""
    elif task and task.state == "pending" and task.last_end:
        result = Phase.BACKOFF, _detail(run, allocation) or _describe_end(task)
    elif run is not None and run.allocation == allocation.id:
        # It has just ended, and Nomad has not said so yet: of what runs to its end, that may be all that was wanted.
        is_done = service.one_shot and run.doing == "running" and not _knows_end_of(run, task)
        result = (Phase.RUNNING, "") if is_done else (Phase.BACKOFF, _detail(run, allocation))
    return result


def _observation(
    key: InstanceKey,
    phase: Phase,
    allocation: Allocation | None,
    task: TaskState | None,
    *,
    message: str,
    ports: tuple[Port, ...],
    run: Run | None = None,
    is_service: bool = False,
) -> InstanceObservation:
    end = task.last_end if task else None
    restarts = task.restarts if task else 0
    if phase is Phase.BACKOFF and task and task.is_to_restart:
        # Nomad counts a restart once it has decided on it.
        restarts = max(0, restarts - 1)
    placement = (allocation.id if allocation else run.allocation if run else "")[:8]
    which = f"{run.process.pid}:{run.process.start_ticks}" if run else str(restarts)
    return InstanceObservation(
        key=key,
        phase=phase,
        pid=run.process.pid if run and is_service else None,
        start_ticks=run.process.start_ticks if run and is_service else None,
        started_at=run.at if run and is_service else task.started_at if task else None,
        restarts=restarts,
        exit_code=end.exit_code if end else None,
        exit_signal=end.exit_signal if end else None,
        exited_at=end.at if end else None,
        message=message,
        ports=ports,
        run=f"{placement}/{which}",
    )


def _knows_end_of(run: Run, task: TaskState | None) -> bool:
    """Whether Nomad has said how a run ended; an earlier one's end is none of its."""
    end = task.last_end if task else None
    return end is not None and end.at >= run.at


def _detail(run: Run | None, allocation: Allocation) -> str:
    if run is not None and run.allocation == allocation.id and run.doing == "failed":
        return run.detail
    return ""


def _describe_failure(task: TaskState | None, allocation: Allocation, run: Run | None) -> str:
    reason = _detail(run, allocation) or _describe_trouble(task)
    end = _describe_end(task)
    if task and task.restarts:
        return f"gave up after {task.restarts} restarts: {reason or end}"
    if reason or not end:
        return reason or allocation.description
    # How it ended is seen, and told with the same words as on any engine.
    return ""


def _describe_end(task: TaskState | None) -> str:
    end = task.last_end if task else None
    return describe_exit(end.exit_code, end.exit_signal) if end else ""


def _describe_trouble(task: TaskState | None) -> str:
    if task is None:
        return ""
    return next((event.message for event in reversed(task.events) if event.type in _TROUBLE), "")
