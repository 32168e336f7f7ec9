"""`dev add`, `dev remove` and `dev scale`: what a change comes to, the question about it, and how it went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prismctl.changing import plan_scaling, read_running_plan
from prismctl.cli.endings import conclude
from prismctl.cli.following import follow
from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.naming import resolve_words
from prismctl.cli.narrators import choose_narrator
from prismctl.cli.preflight import warn_of_shortages
from prismctl.cli.stack import open_stack, option_of
from prismctl.domain.counting import count_of
from prismctl.present.progress import begin_progress
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StackClient
    from prismctl.domain.plan import StackPlan


def scale_service(call: Invocation, word: str, replicas: int, *, wait_seconds: float) -> None:
    """Have a service run in another number of instances.

    Raises:
        PrismError: it does not run, cannot have so many, or they did not come up in time.
    """
    client = open_stack(call)
    running = read_running_plan(client)
    (name,) = resolve_words([word], running.names, stack=call.stack)
    scaling = plan_scaling(running, name, replicas)
    if not scaling.changes:
        has = count_of(replicas, "instance")
        _say_unchanged(call, client, f"{name} has {has} already; nothing was changed")
        return
    warn_of_shortages(call, scaling.plan, running=running)
    _follow_change(
        call,
        client,
        scaling.carry_out(client),
        plan=scaling.plan,
        names=[scaling.service],
        done=f"scaled {name} to {replicas}",
        wait_seconds=wait_seconds,
    )


def _follow_change(
    call: Invocation,
    client: StackClient,
    messages: Iterator[dict[str, Any]],
    *,
    plan: StackPlan,
    names: Sequence[str],
    done: str,
    wait_seconds: float,
) -> None:
    """Tell what happens until the services that are concerned are up, or it is clear that they will not be.

    Raises:
        PrismError: they did not come up, or not in time; or somebody let go of it.
    """
    began_at = time.time()
    watched: dict[str, Sequence[str]] = {
        name: [needed for needed in plan.service(name).depends_on if needed in names]
        for name in plan.names
        if name in names
    }
    try:
        with choose_narrator(call, began_at=began_at) as narrator:
            outcome = follow(
                messages,
                narrator=narrator,
                progress=begin_progress(watched),
                deadline=time.monotonic() + wait_seconds,
                read_status=client.status,
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            "let go; the change goes on by itself",
            hint=f"`prismctl dev status{option_of(call.stack)}` shows how it is",
        ) from interrupt
    conclude(
        call,
        client,
        outcome,
        seconds=wait_seconds,
        done=done,
        took=time.time() - began_at,
        wanted=names,
    )


def _say_unchanged(call: Invocation, client: StackClient, words: str) -> None:
    if call.is_json:
        result = {"outcome": "ready", "failed": [], "skipped": [], "status": client.status()}
        nothing: dict[str, Any] = {"added": [], "removed": [], "scaled": {}}
        call.write_json({"result": {**result, "changes": nothing}})
    elif not call.is_quiet:
        call.write_lines([line(words)])
