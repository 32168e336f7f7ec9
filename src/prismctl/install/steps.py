"""Steps that depend on each other: run side by side, told while they run, each ending as done, left out or failed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from prismctl.install.provider import Progress


class StepState(StrEnum):
    """How far a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    LEFT_OUT = "left out"
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether nothing more happens to the step."""
        return self in {StepState.DONE, StepState.LEFT_OUT, StepState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a step."""

    detail: str
    """In one line."""
    is_changed: bool = False
    """Whether anything on this machine is different now."""
    is_left_out: bool = False
    """It was not needed, or not wanted."""
    note: str = ""
    """What else there is to know, as how a program was verified."""
    fix: str = ""
    """What to type to have it after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatus:
    """One step as it is now."""

    name: str
    title: str
    state: StepState = StepState.WAITING
    detail: str = ""
    note: str = ""
    fix: str = ""
    is_changed: bool = False
    is_required: bool = True
    seconds: float | None = None
    """How long it took; ``None`` until it has ended."""
    began_at: float | None = None
    """On the monotonic clock; ``None`` while it waits."""
    progress: Progress | None = None
    error: PrismError | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to be done once those it needs are done."""

    name: str
    title: str
    act: Callable[[Callable[[Progress | str], None]], Awaitable[Outcome]]
    """Does it; is given what to tell progress, or what it is at, to.

    Raises:
        PrismError: it failed; nothing half done is in anybody's way.
    """
    needs: tuple[str, ...] = ()
    """Steps without which it makes no sense; one that failed or was left out leaves this one out."""
    after: tuple[str, ...] = ()
    """Steps that it waits for as well, however they end."""
    is_required: bool = True


async def run_steps(
    steps: Sequence[Step], tell: Callable[[StepStatus], None]
) -> tuple[StepStatus, ...]:
    """Run all steps as early as what they need allows; how each ended, in the given order.

    A failure stops nobody but those who need the step. Cancelled, every running step is cancelled.

    Args:
        steps: each after those it waits for.
        tell: called whenever anything about a step changes.
    """
    ended: dict[str, asyncio.Future[StepStatus]] = {
        step.name: asyncio.get_running_loop().create_future() for step in steps
    }

    async def run(step: Step) -> None:
        status = await _run_one(step, ended, tell)
        ended[step.name].set_result(status)

    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(run(step))
    return tuple(ended[step.name].result() for step in steps)


async def _run_one(
    step: Step,
    others: Mapping[str, asyncio.Future[StepStatus]],
    tell: Callable[[StepStatus], None],
) -> StepStatus:
    status = StepStatus(name=step.name, title=step.title, is_required=step.is_required)
    tell(status)
    for name in step.after:
        await asyncio.shield(others[name])
    needed = [await asyncio.shield(others[name]) for name in step.needs]
    missing = ", ".join(other.title for other in needed if other.state is not StepState.DONE)
    if missing:
        status = replace(status, state=StepState.LEFT_OUT, detail=f"needs {missing}", seconds=0.0)
        tell(status)
        return status
    began_at = time.monotonic()
    running = replace(status, state=StepState.RUNNING, began_at=began_at)
    tell(running)

    def report(news: Progress | str) -> None:
        nonlocal running
        running = (
            replace(running, detail=news, progress=None)
            if isinstance(news, str)
            else replace(running, progress=news)
        )
        tell(running)

    try:
        outcome = await step.act(report)
    except PrismError as error:
        status = replace(
            running, state=StepState.FAILED, detail=error.message, fix=error.hint, error=error
        )
    else:
        status = replace(
            running,
            state=StepState.LEFT_OUT if outcome.is_left_out else StepState.DONE,
            detail=outcome.detail,
            note=outcome.note,
            fix=outcome.fix,
            is_changed=outcome.is_changed,
        )
    status = replace(status, seconds=time.monotonic() - began_at, progress=None)
    tell(status)
    return status
