"""How far a start is, folded from its events, and the one thing everybody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.observation import ComponentState
from prismctl.domain.snapshot import GOOD_STATES, ServiceState
from prismctl.present.text import Line, Span, Tone, clean, clip_line, line, pad, pad_left, width_of
from prismctl.present.units import list_of, render_duration
from prismctl.present.wording import component_title, symbol_of, tone_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GOOD: Final = GOOD_STATES | {ComponentState.READY}
_SETTLED: Final = _GOOD | {ServiceState.FAILED}
_DURATION_WIDTH: Final = 6

_STATES: Final = {
    "component.starting": "starting",
    "component.ready": "ready",
    "component.lost": "lost",
    "image.pulling": "starting",
    "image.pulled": "waiting",
    "service.waiting": "waiting",
    "service.starting": "starting",
    "service.healthy": "healthy",
    "service.unhealthy": "unhealthy",
    "service.failed": "failed",
    "service.completed": "completed",
    "service.stopping": "stopping",
    "service.stopped": "stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One service or agent on its way."""

    name: str
    state: str
    is_component: bool = False
    since: float | None = None
    """When it began to start, in seconds since the epoch; ``None`` while it waits."""
    seconds: float | None = None
    """How long it took, once it is settled."""
    message: str = ""
    """Why it is where it is, in one line."""

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be waited for."""
        return self.state in _SETTLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """All steps of a start, agents first, then services in start order."""

    steps: dict[str, Step] = field(default_factory=dict)
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Every service came up, or never will."""
        return all(step.is_settled for step in self.steps.values())

    def message_of(self, name: str) -> str:
        """Why a service is where it is, by what was told of it last; empty where nothing was."""
        step = self.steps.get(name)
        return step.message if step is not None else ""


def begin_progress(
    dependencies: Mapping[str, Sequence[str]], components: Sequence[str] = ()
) -> Progress:
    """Nothing has started yet; ``dependencies`` by service and agents, both in start order."""
    agents = {name: Step(name=name, state="waiting", is_component=True) for name in components}
    services = {name: Step(name=name, state="waiting") for name in dependencies}
    return Progress(steps={**agents, **services}, dependencies=dependencies)


def fold_event(progress: Progress, event: Mapping[str, Any]) -> Progress:
    """The progress after one more event, in the form in which events cross the socket."""
    kind = str(event["kind"])
    name = str(event.get("service") or "")
    is_component = kind.startswith("component.")
    if not name or (not is_component and name not in progress.steps):
        return progress
    before = progress.steps.get(name) or Step(name=name, state="waiting", is_component=is_component)
    after = _next_step(before, kind, event)
    if name in progress.steps:
        return replace(progress, steps={**progress.steps, name: after})
    components = {key: step for key, step in progress.steps.items() if step.is_component}
    services = {key: step for key, step in progress.steps.items() if not step.is_component}
    return replace(progress, steps={**components, name: after, **services})


def _next_step(before: Step, kind: str, event: Mapping[str, Any]) -> Step:
    message = clean(str(event.get("message") or ""))
    if kind == "service.exited":
        return replace(before, state="starting", message=message)
    state = _STATES.get(kind, before.state)
    time = float(event.get("time") or 0.0)
    if state in _SETTLED:
        seconds = _time_taken(before, time, event)
        return replace(
            before, state=state, seconds=seconds, message="" if state in _GOOD else message
        )
    since = before.since
    if state == "starting" and before.state != "starting":
        since = time
    return replace(before, state=state, since=since, seconds=None, message=message)


def _time_taken(before: Step, now: float, event: Mapping[str, Any]) -> float | None:
    """Since the service's own beginning; agents, and services nobody saw beginning, have what was measured."""
    measured = (event.get("details") or {}).get("seconds")
    if before.since is not None and not (before.is_component and measured is not None):
        return max(0.0, now - before.since)
    return float(measured) if isinstance(measured, int | float) else None


def fold_status(progress: Progress, status: Mapping[str, Any]) -> Progress:
    """The progress with the reasons of a status document, which has the last probe errors."""
    steps = dict(progress.steps)
    for service in status.get("services") or []:
        step = steps.get(service["name"])
        if step is not None and not step.is_settled and service.get("reason"):
            steps[step.name] = replace(step, message=clean(str(service["reason"])))
    return replace(progress, steps=steps)


def culprit_of(progress: Progress) -> Step | None:
    """The step everybody waits for: an agent before services, then the one with most waiting behind it.

    ``None`` once everything is settled.
    """
    pending = {name: step for name, step in progress.steps.items() if not step.is_settled}
    for step in pending.values():
        if step.is_component:
            return step
    ready_to_go = [
        step
        for step in pending.values()
        if not any(name in pending for name in progress.dependencies.get(step.name, ()))
    ]
    if not ready_to_go:
        return next(iter(pending.values()), None)
    return max(ready_to_go, key=lambda step: len(waiting_for(progress.dependencies, step.name)))


def waiting_for(dependencies: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Everything that needs a service, directly or through others, in start order."""
    found: set[str] = {name}
    grew = True
    while grew:
        more = {
            other
            for other, needs in dependencies.items()
            if other not in found and found & {*needs}
        }
        found |= more
        grew = bool(more)
    return [other for other in dependencies if other in found and other != name]


def progress_lines(
    progress: Progress, *, now: float, began_at: float, width: int, height: int
) -> list[Line]:
    """The steps with the time each took or takes, and what everybody waits for; fits ``height`` lines.

    Where there is no room for all, settled steps go first: what is still to come is what somebody watches for.
    """
    footer_lines = 2
    steps = _visible_steps(list(progress.steps.values()), max(1, height - footer_lines))
    name_width = max((width_of(_title(step)) for step in steps), default=0)
    lines = [_step_line(step, name_width, now, width) for step in steps]
    culprit = culprit_of(progress)
    spent = render_duration(now - began_at)
    words = f"everything waits for {_title(culprit)}" if culprit else _describe_end(progress)
    behind = waiting_for(progress.dependencies, culprit.name) if culprit else []
    pending = [step for step in progress.steps.values() if not step.is_settled]
    if culprit and len(pending) > 1 and not culprit.is_component and not behind:
        words = f"waiting for {', '.join(_title(step) for step in pending)}"
    elif culprit and len(pending) == 1:
        words = f"waits for {_title(culprit)}"
    return [*lines, (), clip_line(line("  ", Span(f"{spent} · {words}", Tone.MUTED)), width)]


def _describe_end(progress: Progress) -> str:
    """What there is to say once nothing is waited for."""
    failed = [_title(step) for step in progress.steps.values() if step.state == "failed"]
    return f"{list_of(failed)} failed" if failed else "ready"


def _visible_steps(steps: list[Step], room: int) -> list[Step]:
    surplus = len(steps) - room
    hidden: set[str] = set()
    for step in steps:
        if len(hidden) < surplus and step.is_settled and step.state != "failed":
            hidden.add(step.name)
    return [step for step in steps if step.name not in hidden][:room]


def _step_line(step: Step, name_width: int, now: float, width: int) -> Line:
    seconds = step.seconds
    if seconds is None and step.since is not None and not step.is_settled:
        seconds = now - step.since
    took = render_duration(seconds) if seconds is not None else ""
    spans = line(
        "  ",
        Span(symbol_of(step.state), tone_of(step.state)),
        f" {pad(_title(step), name_width)}  {pad_left(took, _DURATION_WIDTH)}",
        Span(f"   {step.message}" if step.message else "", Tone.MUTED),
    )
    return clip_line(spans, width)


def _title(step: Step) -> str:
    return component_title(clean(step.name)) if step.is_component else clean(step.name)
