"""Telling steps while they run: redrawn on a terminal, a line each when it has ended elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

from prismctl.cli.live import LiveLines
from prismctl.install.provider import Unit
from prismctl.install.steps import StepState
from prismctl.present.installation import (
    plain_progress_line,
    plain_step_line,
    render_steps,
    step_lines,
)
from prismctl.present.problems import render_error
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import render_duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from types import TracebackType

    from prismctl.cli.invocation import Invocation
    from prismctl.errors import PrismError
    from prismctl.install.steps import StepStatus

_REDRAW_SECONDS: Final = 0.1
_PLAIN_PROGRESS_SECONDS: Final = 15.0
"""How often a pipe hears of a step that takes its time."""


class Teller(Protocol):
    """Who tells how steps go; used as a context around them."""

    def __enter__(self) -> Self:
        """Begin to tell."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen as it should stay."""

    def tell(self, step: StepStatus) -> None:
        """Something about a step has changed."""

    def redraw(self) -> None:
        """Some time has passed."""

    def redrawing(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Redraw steadily while the context is entered."""


class _Steps:
    """What all tellers keep: each step as it is now, and how fast it fetches."""

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


class LiveTeller(_Steps):
    """Redraws all steps in place, and leaves them as they ended."""

    def __init__(self, call: Invocation) -> None:
        super().__init__()
        self._area = LiveLines(call)

    def __enter__(self) -> Self:
        """Nothing is drawn before the first step."""
        self._area.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the steps off the screen: `show_end` writes them to stay."""
        self._area.__exit__(kind, error, trace)

    def redraw(self) -> None:
        """Show all steps as they are now."""
        width, height = self._area.size
        lines = step_lines(
            list(self.steps.values()), now=time.monotonic(), speeds=self.speeds, width=width
        )
        self._area.draw(lines[-(height - 1) :])

    @contextlib.asynccontextmanager
    async def redrawing(self) -> AsyncIterator[None]:
        """Redraw ten times a second: times count up."""

        async def go_on() -> None:
            while True:
                self.redraw()
                await asyncio.sleep(_REDRAW_SECONDS)

        async with _running(go_on()):
            yield
        self.redraw()


class PlainTeller(_Steps):
    """A line for each step that has ended, and one now and then for those that take their time."""

    def __init__(self, call: Invocation) -> None:
        super().__init__()
        self._call = call

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to tidy up."""

    def tell(self, step: StepStatus) -> None:
        """A line when a step has ended, and one when it begins with something that takes its time."""
        is_first = step.name not in self.steps or self.steps[step.name].progress is None
        super().tell(step)
        if step.state.is_end:
            self._call.write_lines([plain_step_line(step)])
        elif step.progress is not None and is_first:
            self._call.write_lines([plain_progress_line(step, None)])

    def redraw(self) -> None:
        """Nothing: what moves is not for pipes."""

    @contextlib.asynccontextmanager
    async def redrawing(self) -> AsyncIterator[None]:
        """Say now and then how far the running steps are."""

        async def go_on() -> None:
            while True:
                await asyncio.sleep(_PLAIN_PROGRESS_SECONDS)
                for step in list(self.steps.values()):
                    if step.state is StepState.RUNNING:
                        speed = self.speeds.get(step.name)
                        self._call.write_lines([plain_progress_line(step, speed)])

        async with _running(go_on()):
            yield


class SilentTeller(_Steps):
    """For ``-q``, and for programs, which get one document at the end."""

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to tidy up."""

    def redraw(self) -> None:
        """Nothing to show."""

    @contextlib.asynccontextmanager
    async def redrawing(self) -> AsyncIterator[None]:
        """Nothing to show."""
        yield


def choose_teller(call: Invocation) -> Teller:
    """The teller for what was asked for and for what stdout is."""
    if call.is_json or call.is_quiet:
        return SilentTeller()
    return LiveTeller(call) if call.has_animation else PlainTeller(call)


def show_end(
    call: Invocation,
    steps: Sequence[StepStatus],
    *,
    seconds: float | None = None,
    error: PrismError | None = None,
) -> None:
    """How all steps ended, to stay; and what to do next, when all is well.

    Args:
        call: says where to.
        steps: that have ended.
        seconds: they took; ``None`` when not all is well.
        error: why not, for those who read one document.
    """
    if call.is_json:
        document = render_steps(steps) | (render_error(error) if error else {})
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    if call.is_quiet:
        return
    if call.has_animation:
        now = time.monotonic()
        call.write_lines([*step_lines(steps, now=now, speeds={}, width=call.width), ()])
    if seconds is None:
        if any(step.is_changed for step in steps):
            call.write_lines([line("what is done stays; `prismctl dev init` goes on from there")])
        return
    is_changed = any(step.is_changed for step in steps)
    words = (
        f"ready in {render_duration(seconds)}"
        if is_changed
        else "everything was here; nothing was changed"
    )
    call.write_lines([line(Span(words, Tone.GOOD))])
    if call.has_animation:
        call.write_lines(
            [(), line("Next: ", Span("prismctl dev start --preset=minimal", Tone.ACCENT))]
        )


@contextlib.asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
