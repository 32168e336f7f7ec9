"""Exchanges or copies the data of services; those that run are stopped for it, and started again whatever comes of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from prismctl.daemon.operations.departures import Departures
from prismctl.daemon.operations.result import find_failed, render_result
from prismctl.domain.events import EventKind
from prismctl.domain.snapshot import ServiceState
from prismctl.errors import PrismError
from prismctl.files.data_changes import (
    DataChange,
    GivenUpError,
    copy_data,
    prepare_reset,
    prepare_restore,
)
from prismctl.files.service_data import ServiceData
from prismctl.files.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName

_AT_REST: Final = frozenset({ServiceState.COMPLETED, ServiceState.FAILED, ServiceState.STOPPED})
"""Nothing of such a service runs, and nothing will by itself."""

_Result = TypeVar("_Result")


async def reset(stack: Stack, names: Sequence[str]) -> dict[str, Any]:
    """Let services start with no data; what they have is put aside.

    Raises:
        PrismError: it cannot be moved, or a service would not stop.
    """
    async with stack.operations.turn:
        change = await _in_thread(lambda _: prepare_reset(stack.paths, names))
        affected = await _exchange(stack, change, EventKind.DATA_RESET)
    return await _conclude(stack, affected, change)


async def restore(
    stack: Stack, names: Sequence[str], *, snapshot: str, is_previous: bool
) -> dict[str, Any]:
    """Put the data of services back: of a snapshot, or what was put aside; what they have is put aside.

    Raises:
        PrismError: there is no such data, it cannot be copied, or a service would not stop.
    """
    async with stack.operations.turn:
        change = await _in_thread(
            lambda check: prepare_restore(
                stack.paths,
                names,
                snapshot=snapshot,
                is_previous=is_previous,
                keeps=False,
                check=check,
            )
        )
        affected = await _exchange(stack, change, EventKind.DATA_RESTORED)
    return await _conclude(stack, affected, change)


async def take_snapshot(
    stack: Stack, names: Sequence[str], *, name: str, replaces: bool, removes: Sequence[str]
) -> dict[str, Any]:
    """Copy the data of services; those that run stand still meanwhile.

    Raises:
        PrismError: there is no data, it cannot be copied, or a service would not stop.
    """
    async with stack.operations.turn:
        at_work = [each for each in _running(stack, names) if _is_at_work(stack, each)]
        change = await _standing_still(
            stack,
            at_work,
            lambda check: copy_data(
                stack.paths, names, name=name, replaces=replaces, removes=removes, check=check
            ),
        )
        stack.events.append(
            EventKind.DATA_SAVED,
            message=f"snapshot {change.snapshot} of {', '.join(change.sizes)}",
            details={"snapshot": change.snapshot, "bytes": dict(change.sizes)},
        )
    return await _conclude(stack, at_work, change)


async def _exchange(stack: Stack, change: DataChange, kind: EventKind) -> list[ServiceName]:
    names = list(change.sizes)
    running = _running(stack, names)
    data = ServiceData(stack.paths.data)

    def carry_out(_: Callable[[], None]) -> None:
        for each in change.exchanges:
            data.carry_out(each)

    try:
        await _standing_still(stack, running, carry_out)
    except BaseException:
        for each in change.exchanges:
            # What was decided is called otherwise by now, and goes on.
            data.give_up(each)
        raise
    for name in names:
        stack.events.append(
            kind,
            service=name,
            message=change.snapshot and f"snapshot {change.snapshot}",
            details={"bytes": change.sizes[name]},
        )
    return running


async def _standing_still(
    stack: Stack, names: list[ServiceName], work: Callable[[Callable[[], None]], _Result]
) -> _Result:
    """Do something while services are stopped."""
    plan = stack.monitor.plan
    if plan is None or not names:
        return await _in_thread(work)
    # Of what has failed, nobody has asked for another try.
    spared = [each for each in find_failed(stack.monitor.refresh()) if each not in names]
    stack.monitor.expect_settling()
    stack.withheld = frozenset(names)
    try:
        try:
            await _stop(stack, plan, names, spared)
            result = await _in_thread(work)
        finally:
            stack.withheld = frozenset()
    except PrismError:
        await stack.hand_over(plan, spared=spared)
        raise
    await stack.hand_over(plan, spared=spared)
    return result


async def _stop(
    stack: Stack, plan: StackPlan, names: list[ServiceName], spared: list[ServiceName]
) -> None:
    """Return once no process of the services is left.

    Raises:
        DeadlineError: one does not end.
    """
    departures = Departures(stack.monitor, lambda key: key.service in names)
    await stack.hand_over(plan, spared=spared)
    await departures.wait(max(plan.service(name).stop_grace_seconds for name in names))


async def _in_thread(work: Callable[[Callable[[], None]], _Result]) -> _Result:
    """Do something that waits for the disk; given up, it ends before this does, and leaves nothing half done."""
    given_up = threading.Event()

    def check() -> None:
        if given_up.is_set():
            raise GivenUpError("the operation was given up")

    task = asyncio.ensure_future(asyncio.to_thread(work, check))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        given_up.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


def _running(stack: Stack, names: Collection[str]) -> list[ServiceName]:
    """Those of the services that are part of the stack; nobody named: all of them that have data."""
    plan = stack.monitor.plan
    if plan is None:
        return []
    data = ServiceData(stack.paths.data)
    wanted = names or [name for name in plan.names if data.has_data(name)]
    return [name for name in plan.names if name in wanted]


def _is_at_work(stack: Stack, name: ServiceName) -> bool:
    """Whether a process of the service runs, or may at any moment."""
    snapshot = stack.monitor.refresh()
    states = [each.state for each in snapshot.services if each.name == name]
    return any(state not in _AT_REST for state in states)


async def _conclude(
    stack: Stack, affected: list[ServiceName], change: DataChange
) -> dict[str, Any]:
    snapshot = stack.monitor.refresh()
    if affected:
        snapshot = await stack.readiness.wait_until_settled(affected)
    result = (
        render_result(snapshot, stack.monitor.was_tried, affected)
        if affected
        else {**render_result(snapshot, stack.monitor.was_tried), "outcome": "ready"}
    )
    return {
        **result,
        "data": {
            "services": dict(change.sizes),
            "snapshot": change.snapshot,
            "removed": list(change.removed),
            "restarted": list(affected),
        },
    }


async def settle_data(stack: Stack) -> None:
    """Carry out what a predecessor had decided, and remove what it had not; nothing may run on that data yet."""
    data, snapshots = ServiceData(stack.paths.data), Snapshots(stack.paths.snapshots)
    for settle in (data.settle, snapshots.settle):
        try:
            finished = await asyncio.to_thread(settle)
        except PrismError as error:
            stack.monitor.add_note(error.message)
            continue
        for what in finished:
            message = f"finished the interrupted {what}"
            stack.events.append(EventKind.DATA_SETTLED, message=message)
            stack.monitor.add_note(message)
