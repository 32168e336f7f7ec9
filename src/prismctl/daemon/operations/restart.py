"""Stops and starts services that run, and waits until they are up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.daemon.operations.result import render_result
from prismctl.domain.service import SHORT_NAMES, ServiceName
from prismctl.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.daemon.stack import Stack


async def restart(stack: Stack, names: Sequence[str]) -> dict[str, Any]:
    """Restart the named services, or all.

    Raises:
        RejectedError: nothing runs, or a service is not part of the stack.
        PrismError: the engine could not.
    """
    async with stack.operations.turn:
        await _change(stack, names)
    snapshot = await stack.monitor.wait_until_settled()
    return render_result(snapshot, stack.monitor.was_tried)


async def _change(stack: Stack, names: Sequence[str]) -> None:
    plan = stack.monitor.plan
    if plan is None:
        raise RejectedError(
            "no plan has been applied", hint="`prismctl dev start` starts the stack"
        )
    wanted = [SHORT_NAMES.get(name, ServiceName(name)) for name in names]
    unknown = [name for name in wanted if name not in plan.names]
    if unknown:
        raise RejectedError(
            f"{', '.join(unknown)} is not part of the stack",
            hint=f"it has {', '.join(plan.names)}",
        )
    stack.monitor.expect_settling()
    await stack.restart_services(wanted or list(plan.names))
