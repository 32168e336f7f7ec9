"""Running steps and telling how they go: redrawn on a terminal, a line each when it has ended elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final, Protocol

from prismctl.cli.live import LiveLines
from prismctl.cli.loop import run_in_loop
from prismctl.install.provider import Unit
from prismctl.install.steps import StepState, run_steps
from prismctl.present.installation import (
    plain_progress_line,
    plain_step_line,
    render_steps,
    step_lines,
)
from prismctl.present.problems import render_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.errors import PrismError
    from prismctl.install.steps import Step, StepStatus

_REDRAW_SECONDS: Final = 0.1
"""How often the seconds that a step has taken so far are written anew."""
_PLAIN_PROGRESS_SECONDS: Final = 15.0
"""How often a pipe hears of a step that takes its time."""


def run_and_tell(
    call: Invocation, steps: Sequence[Step], *, ended: Sequence[StepStatus] = ()
) -> tuple[StepStatus, ...]:
    """Run steps and tell how they go; how each ended.

    Args:
        call: says where to, and what is moved there.
        steps: to be run.
        ended: steps that were done before, told and returned first.

    Raises:
        KeyboardInterrupt: Ctrl-C; every step was cancelled.
        Terminated: SIGTERM, likewise.
    """

    async def work() -> tuple[StepStatus, ...]:
        teller = _choose_teller(call)
        async with teller.telling():
            for step in ended:
                teller.tell(step)
            return (*ended, *await run_steps(steps, teller.tell))

    return run_in_loop(work())


def show_steps(
    call: Invocation, steps: Sequence[StepStatus], *, error: PrismError | None = None
) -> None:
    """How all steps ended, to stay where they were redrawn; for programs, the whole document.

    Args:
        call: says where to.
        steps: that have ended.
        error: why that is not enough, for those who read one document.
    """
    if call.is_json:
        document = render_steps(steps) | (render_error(error) if error else {})
        call.write_json(document, is_pretty=call.is_on_terminal)
    elif call.has_animation and not call.is_quiet:
        now = time.monotonic()
        call.write_lines([*step_lines(steps, now=now, speeds={}, width=call.width), ()])


class _Teller(Protocol):
    """Who tells how steps go."""

    def tell(self, step: StepStatus) -> None:
        """Something about a step has changed."""

    def telling(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Around the steps: also says what changes by itself, and leaves the screen as it should stay."""


class _Steps:
    """What those who say something meanwhile keep: each step as it is now, and how fast it fetches."""

    def __init__(self) -> None:
        self.steps: dict[str, StepStatus] = {}
        self._first: dict[str, tuple[float, int]] = {}

    def tell(self, step: StepStatus) -> None:
        """Remember the step."""
        self.steps[step.name] = step
        if step.progress is not None and step.progress.unit is Unit.BYTES:
            # What an earlier run fetched does not count.
            self._first.setdefault(step.name, (time.monotonic(), step.progress.done))

    @property
    def speeds(self) -> dict[str, float]:
        """Bytes a second since each step began to fetch."""
        now = time.monotonic()
        found = {}
        for name, (began_at, had) in self._first.items():
            progress = self.steps[name].progress
            if progress is not None and now > began_at:
                found[name] = (progress.done - had) / (now - began_at)
        return found


class _LiveTeller(_Steps):
    """Redraws all steps in place, ten times a second: times count up."""

    def __init__(self, call: Invocation) -> None:
        super().__init__()
        self._call = call

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Take the steps off the screen at the end: `show_steps` writes them to stay."""
        with LiveLines(self._call) as area:
            async with _running(self._redraw(area)):
                yield

    async def _redraw(self, area: LiveLines) -> None:
        while True:
            width, height = area.size
            lines = step_lines(
                list(self.steps.values()), now=time.monotonic(), speeds=self.speeds, width=width
            )
            area.draw(lines[-(height - 1) :])
            await asyncio.sleep(_REDRAW_SECONDS)


class _PlainTeller(_Steps):
    """A line for each step that has ended, and one now and then for those that take their time."""

    def __init__(self, call: Invocation) -> None:
        super().__init__()
        self._call = call

    def tell(self, step: StepStatus) -> None:
        """A line when a step has ended, and one when it begins with something that takes its time."""
        is_first = step.name not in self.steps or self.steps[step.name].progress is None
        super().tell(step)
        if step.state.is_end:
            self._call.write_lines([plain_step_line(step)])
        elif step.progress is not None and is_first:
            self._call.write_lines([plain_progress_line(step, None)])

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Say now and then how far the running steps are."""
        async with _running(self._remind()):
            yield

    async def _remind(self) -> None:
        while True:
            await asyncio.sleep(_PLAIN_PROGRESS_SECONDS)
            for step in list(self.steps.values()):
                if step.state is StepState.RUNNING:
                    speed = self.speeds.get(step.name)
                    self._call.write_lines([plain_progress_line(step, speed)])


class _SilentTeller:
    """For ``-q``, and for programs, which get one document at the end."""

    def tell(self, step: StepStatus) -> None:
        """Nothing."""

    def telling(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Nothing to show, nothing to tidy up."""
        return contextlib.nullcontext()


def _choose_teller(call: Invocation) -> _Teller:
    """The teller for what was asked for and for what stdout is."""
    if call.is_json or call.is_quiet:
        return _SilentTeller()
    return _LiveTeller(call) if call.has_animation else _PlainTeller(call)


@contextlib.asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
