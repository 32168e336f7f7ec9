"""Changes what a running stack consists of: services more or fewer, instances more or fewer; the rest does not notice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prismctl.daemon.operations.departures import Departures
from prismctl.daemon.operations.result import find_failed, render_result
from prismctl.daemon.operations.succession import put_in_place
from prismctl.domain.plan import compare_plans
from prismctl.domain.plan_change import add_to_plan, remove_from_plan, scale_plan
from prismctl.domain.service import ServiceName
from prismctl.errors import RejectedError
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from prismctl.daemon.stack import Stack
    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.plan import StackPlan


async def add(stack: Stack, addition: StackPlan) -> dict[str, Any]:
    """Run services beside those that run, and wait until they are up.

    Args:
        stack: that runs.
        addition: those services and nothing else, decided.

    Raises:
        RejectedError: nothing runs, or they do not fit what does.
        PrismError: an image cannot be had, or the engine refused; all is as it was.
    """
    async with stack.operations.turn:
        before = _require_plan(stack)
        plan = add_to_plan(before, addition)
        data = ServiceData(stack.paths.data)
        added = compare_plans(before, plan).added
        kept = [name for name in added if data.has_data(name)]
        if added:
            await _change(stack, before, plan, message=f"added {', '.join(added)}", kept=kept)
    result = await _settle(stack, before, plan, addition.names)
    return {**result, "data": {"fresh": [], "kept": kept}}


async def remove(
    stack: Stack, names: Sequence[str], *, cascade: bool, takes_dependencies: bool
) -> dict[str, Any]:
    """Take services out of the stack; returns once nothing of them runs. Their data stays.

    Args:
        stack: that runs.
        names: full or short.
        cascade: what needs them goes as well, instead of being a reason to refuse.
        takes_dependencies: what came along only for them goes as well.

    Raises:
        RejectedError: nothing runs, a service is none of its own or has to stay, or others need it.
        DeadlineError: a process does not end.
        PrismError: the engine refused; all is as it was.
    """
    async with stack.operations.turn:
        before = _require_plan(stack)
        removal = remove_from_plan(before, names, takes_dependencies=takes_dependencies)
        if not cascade:
            removal.refuse_dependents()
        message = f"removed {', '.join(removal.removed)}"
        await _change(stack, before, removal.plan, message=message)
    return await _settle(stack, before, removal.plan, ())


async def scale(stack: Stack, name: str, replicas: int) -> dict[str, Any]:
    """Have a service run in another number of instances; the first ones stay, the last ones go first.

    Raises:
        RejectedError: nothing runs, or the service is none of its own or cannot have so many.
        DeadlineError: a process does not end.
        PrismError: the engine refused; all is as it was.
    """
    async with stack.operations.turn:
        before = _require_plan(stack)
        plan = scale_plan(before, ServiceName(name), replicas)
        changes = compare_plans(before, plan)
        if changes:
            await _change(stack, before, plan, message=f"scaled {changes.scaled[0]} to {replicas}")
    return await _settle(stack, before, plan, compare_plans(before, plan).scaled)


def _require_plan(stack: Stack) -> StackPlan:
    plan = stack.monitor.plan
    if plan is None:
        raise RejectedError(
            "no plan has been applied", hint="`prismctl dev start` starts the stack"
        )
    return plan


async def _change(
    stack: Stack,
    before: StackPlan,
    plan: StackPlan,
    *,
    message: str,
    kept: Sequence[str] = (),
) -> None:
    """Carry a plan out whose difference is all that is touched; returns once what is to go is gone."""
    changes = compare_plans(before, plan)
    replicas = {service.name: service.replicas for service in plan.services}
    leaving = [
        service for service in before.services if service.replicas > replicas.get(service.name, 0)
    ]

    def is_leaving(key: InstanceKey) -> bool:
        return key.replica >= replicas.get(key.service, 0)

    departures = Departures(stack.monitor, is_leaving)
    # Of what else has failed, nobody has asked for another try.
    concerned = _with_dependents(plan, (*changes.added, *changes.scaled))
    spared = set(find_failed(stack.monitor.refresh())) - concerned
    details: dict[str, Any] = {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "scaled": {name: replicas[name] for name in changes.scaled},
    }
    if kept:
        details["kept"] = list(kept)
    await put_in_place(
        stack,
        before,
        plan,
        began_at=time.time(),
        details=details,
        message=message,
        spared=spared,
    )
    stack.write_down()
    if leaving:
        await departures.wait(max(service.stop_grace_seconds for service in leaving))
    # Ports of what has gone are anybody's now.
    stack.reserve_ports()


def _with_dependents(plan: StackPlan, names: Collection[ServiceName]) -> set[ServiceName]:
    """Services with all that depends on them, and may have failed for want of them."""
    found = set(names)
    # Plans name what is depended on first.
    for service in plan.services:
        if not found.isdisjoint(service.depends_on):
            found.add(service.name)
    return found


async def _settle(
    stack: Stack, before: StackPlan, plan: StackPlan, names: Sequence[ServiceName]
) -> dict[str, Any]:
    """What came of a change, once the services it is about are up or never will be."""
    snapshot = stack.monitor.refresh()
    if names:
        snapshot = await stack.readiness.wait_until_settled(names)
        result = render_result(snapshot, stack.monitor.was_tried, names)
    else:
        result = {**render_result(snapshot, stack.monitor.was_tried), **_NOTHING_LOST}
    stack.write_down()
    changes = compare_plans(before, plan)
    return {
        **result,
        "changes": {
            "added": list(changes.added),
            "removed": list(changes.removed),
            "scaled": {name: plan.service(name).replicas for name in changes.scaled},
        },
    }


_NOTHING_LOST = {"outcome": "ready", "failed": [], "skipped": []}
"""What is said of a change after which nothing has to come up: how the rest is, it has not changed."""
