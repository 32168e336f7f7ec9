"""What is said when a stack is up, and when it is down again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.estimate import render_range
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip_line,
    fold,
    line,
    line_width,
    spread,
)
from prismctl.present.units import render_duration
from prismctl.present.wording import component_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.estimate import Estimate

_ART: Final = (
    " _____ _____ _____ _____ _____",
    "|  _  | __  |     |   __|     |",
    "|   __|    -|-   -|__   | | | |",
    "|__|  |__|__|_____|_____|_|_|_|",
)
_TITLE: Final = "Data Access Gateway v1.0"
_SEPARATOR: Final = " · "
_CORE: Final = "core"
_TITLE_WIDTH: Final = 64
"""On a wide screen, what belongs together stays together."""
_GAP: Final = 2


def ready_banner(
    status: dict[str, Any],
    *,
    ready_seconds: float | None,
    width: int,
    estimate: Estimate | None = None,
    obstacle: str = "",
) -> list[Line]:
    """The banner for a stack that is up; names only addresses that the status document has.

    Args:
        status: of the stack.
        ready_seconds: how long that took.
        width: of the screen.
        estimate: what such starts usually take: said where it was measured often enough, and where there is room.
        obstacle: why the dashboard is not where it was wanted.
    """
    stack_option = "" if status["stack"] == "default" else f" --stack {clean(str(status['stack']))}"
    seconds = UNKNOWN_SECONDS if ready_seconds is None else f"{ready_seconds:.1f} seconds"
    lines = [line(Span(art, Tone.ACCENT)) for art in _ART]
    lines += [line(_TITLE), ()]
    lines.append(
        _title_line(str(status.get("origin") or status["stack"]), seconds, estimate, width)
    )
    endpoints = status.get("endpoints") or {}
    addresses = []
    link: Line = ()
    if endpoints.get("dashboard"):
        link = line("Dashboard: ", Span(clean(str(endpoints["dashboard"])), Tone.ACCENT))
        addresses.append(link)
        if obstacle:
            addresses.append(line(Span(f"           {clean(obstacle)}", Tone.MUTED)))
    addresses += [
        line(f"{component_title(ui)}: ", Span(f"prismctl dev ui {ui}{stack_option}", Tone.ACCENT))
        for ui in ("nomad", "consul")
        if endpoints.get(f"{ui}_ui")
    ]
    lines += addresses
    lines += [(), *_next_lines(status, stack_option, width)]
    # Half a link leads nowhere: a terminal that is too narrow breaks it, and copies it whole.
    return [row if row is link else clip_line(row, width) for row in lines]


UNKNOWN_SECONDS: Final = "an unknown time"


def _title_line(name: str, seconds: str, estimate: Estimate | None, width: int) -> Line:
    title = line("Stack: ", Span(clean(name), Tone.STRONG))
    took = line("Ready in: ", Span(seconds, Tone.GOOD))
    if estimate is not None and estimate.is_measured:
        usually = f"  (usually {render_range(estimate.low, estimate.high)})"
        both = (*took, Span(usually, Tone.MUTED))
        needed = line_width(title) + _GAP + line_width(both)
        if needed <= width:
            return spread(title, both, max(needed, min(width, _TITLE_WIDTH)))
    return spread(title, took, min(width, _TITLE_WIDTH))


def _next_lines(status: dict[str, Any], stack_option: str, width: int) -> list[Line]:
    services = status.get("services") or []
    # What was chosen comes after what is always there.
    chosen = [clean(str(each["name"])) for each in services if each.get("type") != _CORE]
    commands = [
        f"prismctl dev logs -f {chosen[-1] if chosen else ''}".rstrip() + stack_option,
        f"prismctl dev status{stack_option}",
        f"prismctl dev stop{stack_option}",
    ]
    one_line = f"Next: {_SEPARATOR.join(commands)}"
    if len(one_line) <= width:
        return [line(Span(one_line, Tone.MUTED))]
    return [
        line(Span(f"{'Next: ' if index == 0 else '      '}{command}", Tone.MUTED))
        for index, command in enumerate(commands)
    ]


def stopped_lines(
    *, stack: str, seconds: float, services: int, components: Sequence[str], width: int
) -> list[Line]:
    """What was stopped and how long it took; only said once nothing is left."""
    what = [count_of(services, "service"), *(component_title(name) for name in components)]
    sentence = (
        f"stopped {clean(stack)} in {render_duration(seconds)}: {', '.join(what)}. "
        "Nothing is left running."
    )
    return [line(words) for words in fold(sentence, width)]
