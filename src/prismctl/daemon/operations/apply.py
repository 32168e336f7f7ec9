"""Makes the stack what a plan says, and waits until it has come to that or never will."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from prismctl.daemon.clean_slate import discard_data, discard_logs
from prismctl.daemon.operations.result import render_result
from prismctl.daemon.operations.stop import take_down
from prismctl.daemon.operations.succession import put_in_place
from prismctl.domain.disturbance import describe_disturbances, find_disturbances
from prismctl.domain.plan import FailurePolicy, plan_from_json
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan


def subject_of(document: dict[str, Any]) -> str:
    """The same for two requests that want the same."""
    text = json.dumps(document, sort_keys=True)
    return f"apply {hashlib.sha256(text.encode()).hexdigest()}"


async def apply(
    stack: Stack,
    document: dict[str, Any],
    *,
    began_at: float,
    on_failure: FailurePolicy,
    log_file: str,
) -> dict[str, Any]:
    """Carry a plan, given in its JSON form, out.

    Raises:
        PrismError: it could not be handed to its engine; what ran before it runs on.
    """
    plan = plan_from_json(document)
    async with stack.operations.turn:
        data = await _change(stack, plan, began_at=began_at, log_file=log_file)
    snapshot = await stack.readiness.wait_until_settled(
        until_failure=on_failure is FailurePolicy.STOP
    )
    stack.write_down()
    if stack.monitor.plan is plan:
        stack.starts.note_settled(plan, snapshot)
    result = {**render_result(snapshot, stack.monitor.was_tried), "data": data}
    # A plan that took this one's place meanwhile has a policy of its own.
    is_current = stack.monitor.plan is plan
    if result["failed"] and on_failure is FailurePolicy.STOP and is_current:
        async with stack.operations.turn:
            await take_down(stack, kill=False)
        return {**result, "outcome": "failed"}
    return result


async def _change(
    stack: Stack, plan: StackPlan, *, began_at: float, log_file: str
) -> dict[str, list[str]]:
    """Everything up to the plan being in its engine's hands; whose data was put aside, and whose was kept."""
    await stack.clear_leftovers()
    before = running = stack.monitor.plan
    if before is not None and before.engine is not plan.engine:
        await stack.leave_engine()
        before = None
    data: dict[str, list[str]] = {"fresh": [], "kept": []}
    details: dict[str, Any] = {}
    if before is None:
        discard_logs(stack.paths)
        data["fresh"], data["kept"] = discard_data(stack.paths, plan)
        details = dict(data)
    stack.log_copying.copy_to(log_file)
    # Whoever looks at the events or a dashboard later did not see what the start said.
    disturbed = describe_disturbances(find_disturbances(running, plan))
    message = f"{plan.origin}; {disturbed}" if disturbed else ""
    await put_in_place(stack, before, plan, began_at=began_at, details=details, message=message)
    if before is None:
        ServiceData(stack.paths.data).forget_kept()
    stack.write_down()
    return data
