"""What is said when a stack is up, and when it is down again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.text import Line, Span, Tone, clean, clip_line, fold, line, spread
from prismctl.present.units import count_of, render_duration
from prismctl.present.wording import component_title

if TYPE_CHECKING:
    from collections.abc import Sequence

_ART: Final = (
    " _____ _____ _____ _____ _____",
    "|  _  | __  |     |   __|     |",
    "|   __|    -|-   -|__   | | | |",
    "|__|  |__|__|_____|_____|_|_|_|",
)
_TITLE: Final = "Data Access Gateway v1.0"
_SEPARATOR: Final = " · "
_CORE: Final = "core"


def ready_banner(status: dict[str, Any], *, ready_seconds: float | None, width: int) -> list[Line]:
    """The banner for a stack that is up; names only addresses that the status document has."""
    stack_option = "" if status["stack"] == "default" else f" --stack {clean(str(status['stack']))}"
    seconds = UNKNOWN_SECONDS if ready_seconds is None else f"{ready_seconds:.1f} seconds"
    lines = [line(Span(art, Tone.ACCENT)) for art in _ART]
    lines += [line(_TITLE), ()]
    lines.append(
        spread(
            line("Stack: ", Span(clean(str(status.get("origin") or status["stack"])), Tone.STRONG)),
            line("Ready in: ", Span(seconds, Tone.GOOD)),
            min(width, 64),
        )
    )
    endpoints = status.get("endpoints") or {}
    addresses = []
    if endpoints.get("dashboard"):
        addresses.append(line("Dashboard: ", Span(clean(str(endpoints["dashboard"])), Tone.ACCENT)))
    addresses += [
        line(f"{component_title(ui)}: ", Span(f"prismctl dev ui {ui}{stack_option}", Tone.ACCENT))
        for ui in ("nomad", "consul")
        if endpoints.get(f"{ui}_ui")
    ]
    lines += addresses
    lines += [(), *_next_lines(status, stack_option, width)]
    return [clip_line(row, width) for row in lines]


UNKNOWN_SECONDS: Final = "an unknown time"


def _next_lines(status: dict[str, Any], stack_option: str, width: int) -> list[Line]:
    watched = next(
        (
            clean(str(service["name"]))
            for service in status.get("services") or []
            if service.get("type") != _CORE
        ),
        "",
    )
    commands = [
        f"prismctl dev logs -f {watched}".rstrip() + stack_option,
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
