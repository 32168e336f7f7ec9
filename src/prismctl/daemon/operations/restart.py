"""Stops and starts services that run, and waits until they are up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.daemon.lost_data import ensure_data_directories
from prismctl.daemon.operations.result import render_result
from prismctl.daemon.process_table import find_suspended
from prismctl.domain.events import EventKind
from prismctl.domain.plan_change import name_services
from prismctl.domain.service import DEFAULT_STACK, Runtime
from prismctl.errors import RejectedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName, StackName


async def restart(stack: Stack, names: Sequence[str]) -> dict[str, Any]:
    """Restart the named services, or all.

    Raises:
        RejectedError: nothing runs, or a service is not part of the stack.
        UnavailableError: what runs the services is suspended.
        PrismError: the engine could not.
    """
    async with stack.operations.turn:
        wanted = await _change(stack, names)
    # Others that are not well were not so because of this.
    snapshot = await stack.readiness.wait_until_settled(wanted)
    return render_result(snapshot, stack.monitor.was_tried, wanted)


async def _change(stack: Stack, names: Sequence[str]) -> list[ServiceName]:
    """Restart, and say whom it concerns: who was named, and who depends on them; nobody where none was named."""
    plan = stack.monitor.plan
    if plan is None:
        raise RejectedError(
            "no plan has been applied", hint="`prismctl dev start` starts the stack"
        )
    wanted = name_services(plan, names)
    elsewhere = [service.name for service in plan.services if service.runtime is Runtime.EXTERNAL]
    refuse_elsewhere([name for name in wanted if name in elsewhere], wanted, stack=plan.stack)
    _refuse_asleep([name for name in wanted if not plan.service(name).replicas], plan)
    _refuse_held_engine(stack, plan)
    here = [name for name in wanted or plan.names if name not in elsewhere]
    _bring_back_directories(stack, plan, here)
    stack.monitor.expect_settling()
    if here:
        await stack.restart_services(here)
    return _with_dependents(plan, wanted)


def refuse_elsewhere(elsewhere: Sequence[str], wanted: Sequence[str], *, stack: StackName) -> None:
    """Say at once that what runs elsewhere cannot be restarted from here.

    Raises:
        RejectedError: some of what is wanted runs elsewhere.
    """
    if not elsewhere:
        return
    rest = [name for name in wanted if name not in elsewhere]
    option = "" if stack == DEFAULT_STACK else f" --stack {stack}"
    verb = "runs" if len(elsewhere) == 1 else "run"
    raise RejectedError(
        f"{', '.join(elsewhere)} {verb} elsewhere; there is nothing to restart",
        hint=f"`prismctl dev restart {' '.join(rest)}{option}` restarts the rest"
        if rest
        else f"`prismctl dev status{option}` shows whether it answers",
    )


def _refuse_asleep(asleep: Sequence[ServiceName], plan: StackPlan) -> None:
    """Say that what was scaled to nothing stays so: a restart does not change what there is."""
    if asleep:
        option = "" if plan.stack == DEFAULT_STACK else f" --stack {plan.stack}"
        verb = "is" if len(asleep) == 1 else "are"
        raise RejectedError(
            f"{', '.join(asleep)} {verb} scaled to 0; there is nothing to restart",
            hint=f"`prismctl dev scale {asleep[0]} 1{option}` has it run again",
        )


def _refuse_held_engine(stack: Stack, plan: StackPlan) -> None:
    """Say at once what would otherwise be a long silence: an agent that is held restarts nothing."""
    name = plan.engine.value
    pid = stack.monitor.component_pids().get(name)
    if pid is not None and find_suspended({name: pid}):
        raise UnavailableError(
            f"{name.capitalize()} (PID {pid}) is suspended, and restarts nothing until it goes on",
            hint=f"`kill -CONT {pid}` lets it go on",
        )


def _bring_back_directories(stack: Stack, plan: StackPlan, names: Sequence[ServiceName]) -> None:
    been_up = stack.monitor.history.healthy_after_seconds
    # One that was never started has none yet.
    services = [
        service
        for service in plan.services
        if service.name in names
        and (service.name in been_up or stack.monitor.was_tried(service.name))
    ]
    for directory in ensure_data_directories(services, stack.paths):
        stack.events.append(
            EventKind.DATA_RESET,
            service=directory.name.partition("#")[0],
            message=f"{directory} was gone; it was made again, empty",
        )


def _with_dependents(plan: StackPlan, names: list[ServiceName]) -> list[ServiceName]:
    found = set(names)
    # Plans name what is depended on first.
    for service in plan.services:
        if not found.isdisjoint(service.depends_on):
            found.add(service.name)
    return sorted(found)
