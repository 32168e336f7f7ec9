"""One plan takes the place of another: written down, watched, handed to the engine; undone where that is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prismctl.daemon.operations.images import prepare_containers
from prismctl.daemon.state_file import remove_files, save_plan
from prismctl.domain.events import EventKind
from prismctl.domain.plan import plan_to_json
from prismctl.domain.stack_history import StackHistory, continue_history
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName


async def put_in_place(
    stack: Stack,
    before: StackPlan | None,
    plan: StackPlan,
    *,
    began_at: float,
    details: dict[str, Any],
    message: str = "",
    spared: Collection[ServiceName] = (),
) -> None:
    """Have a plan carried out in place of another, or as the first; returns once it is in its engine's hands.

    It is written down before anything is done: a daemon that is killed meanwhile has one that goes on with it.

    Args:
        stack: whose turn is held.
        before: what ran until now.
        plan: what shall run.
        began_at: when somebody began to want it; counts for a first plan.
        details: what the event that tells of it says beside the services.
        message: the same for people; empty: what was chosen.
        spared: services that failed and are not tried again.

    Raises:
        PrismError: the engine refused it, or an image cannot be had; what ran before it runs on.
    """
    stack.events.append(
        EventKind.PLAN_ACCEPTED,
        message=message or plan.origin,
        details={"services": list(plan.names), "engine": plan.engine.value, **details},
    )
    stack.hide_secrets(plan, is_new_start=before is None)
    save_plan(stack.paths, plan_to_json(plan))
    now = time.time()
    if before is None:
        history = StackHistory(started_at=began_at, applied_at=now)
    else:
        history = continue_history(stack.monitor.history, before, plan, now)
    stack.monitor.begin(plan, history)
    stack.reloading.follow(plan)
    try:
        await prepare_containers(stack, plan)
        await stack.hand_over(plan, spared=spared)
    except PrismError:
        _undo(stack, before)
        raise


def _undo(stack: Stack, before: StackPlan | None) -> None:
    stack.reloading.follow(before)
    if before is not None:
        save_plan(stack.paths, plan_to_json(before))
        stack.monitor.begin(before, stack.monitor.history)
        return
    remove_files(stack.paths)
    stack.monitor.end()
