"""Telling an operation while it runs: redrawn on a terminal, a line an event elsewhere, JSON for programs."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from prismctl.cli.live import LiveLines, StillLines
from prismctl.present.events import Repetitions, action_line, event_line, fields
from prismctl.present.text import Tone, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.disturbance import Disturbance
    from prismctl.domain.plan import StackPlan
    from prismctl.present.progress import Progress


class Narrator(AbstractContextManager["Narrator", None], Protocol):
    """Who tells what happens; used as a context around the operation, and leaves the screen as it should stay."""

    def tell_plan(self, plan: StackPlan, disturbances: Sequence[Disturbance] = ()) -> None:
        """What is going to happen, to what runs already as well, before it does."""

    def tell_event(self, event: dict[str, Any], progress: Progress) -> None:
        """One thing that happened, and how far everything is."""

    def tell_time(self, progress: Progress) -> None:
        """Nothing happened for a moment."""


class _StillNarrator(StillLines):
    """Those who say nothing while nothing happens."""

    def tell_time(self, progress: Progress) -> None:
        """Nothing to say."""


class SilentNarrator(_StillNarrator):
    """``-q``: only errors are told, and those are not the narrator's."""

    def tell_plan(self, plan: StackPlan, disturbances: Sequence[Disturbance] = ()) -> None:
        """Nothing."""

    def tell_event(self, event: dict[str, Any], progress: Progress) -> None:
        """Nothing."""


class JsonNarrator(_StillNarrator):
    """One JSON object a line: ``{"plan"}``, then ``{"event"}`` each."""

    def __init__(self, call: Invocation) -> None:
        self._call = call

    def tell_plan(self, plan: StackPlan, disturbances: Sequence[Disturbance] = ()) -> None:
        """The plan document, and what it disturbs where it disturbs something."""
        from prismctl.domain.disturbance import render_disturbances
        from prismctl.present.plan import render_plan

        document: dict[str, Any] = {"plan": render_plan(plan)}
        if disturbances:
            document["disturbs"] = render_disturbances(disturbances)
        self._call.write_json(document)

    def tell_event(self, event: dict[str, Any], progress: Progress) -> None:
        """The event as it came."""
        del progress
        self._call.write_json({"event": event})


class PlainNarrator(_StillNarrator):
    """One line an event, nothing that moves: for pipes, CI and dumb terminals."""

    def __init__(self, call: Invocation) -> None:
        self._call = call
        self._repetitions = Repetitions()

    def tell_plan(self, plan: StackPlan, disturbances: Sequence[Disturbance] = ()) -> None:
        """A line for the whole, then one a service saying why it is there."""
        from prismctl.present.disturbance import plain_disturbance_lines
        from prismctl.present.plan import plain_plan_lines

        self._call.write_lines([*plain_plan_lines(plan), *plain_disturbance_lines(disturbances)])

    def tell_event(self, event: dict[str, Any], progress: Progress) -> None:
        """The event's line, where it is worth one; with ``-v``, every event's."""
        if self._repetitions.is_one(event) and not self._call.is_verbose:
            return
        step = progress.steps.get(str(event.get("service")))
        seconds = step.seconds if step is not None else None
        told = event_line(event, seconds=seconds, is_verbose=self._call.is_verbose)
        if told is not None:
            self._call.write_lines([told])


class LiveNarrator(LiveLines):
    """Redraws the steps in place, and leaves nothing of them behind."""

    def __init__(self, call: Invocation, *, began_at: float) -> None:
        super().__init__(call)
        self._began_at = began_at

    def tell_plan(self, plan: StackPlan, disturbances: Sequence[Disturbance] = ()) -> None:
        """The plan; it stays."""
        from prismctl.present.disturbance import disturbance_lines
        from prismctl.present.plan import plan_lines

        lines = [*plan_lines(plan, width=self._call.width), ()]
        if disturbances:
            lines += [*disturbance_lines(disturbances, width=self._call.width), ()]
        self._call.write_lines(lines)

    def tell_event(self, event: dict[str, Any], progress: Progress) -> None:
        """Redraw."""
        del event
        self.tell_time(progress)

    def tell_time(self, progress: Progress) -> None:
        """Redraw, so that times count up."""
        from prismctl.present.progress import progress_lines

        width, height = self.size
        self.draw(
            progress_lines(
                progress,
                now=time.time(),
                began_at=self._began_at,
                width=width,
                height=height - 2,
            )
        )


def choose_narrator(call: Invocation, *, began_at: float) -> Narrator:
    """The narrator for what was asked for and for what stdout is."""
    if call.is_json:
        return JsonNarrator(call)
    if call.is_quiet:
        return SilentNarrator()
    if call.has_animation:
        return LiveNarrator(call, began_at=began_at)
    return PlainNarrator(call)


def tell_page(call: Invocation, url: str, obstacle: str) -> None:
    """Where the page in the browser is, without what lets somebody in, and why it is not where it was wanted."""
    call.write_lines([action_line("web", f"{clean(url)} because {clean(obstacle)}", Tone.BUSY)])


def tell_done(call: Invocation, **values: object) -> None:
    """The plain closing line."""
    if not call.is_quiet:
        call.write_lines([action_line("done", fields(**values), Tone.GOOD)])
