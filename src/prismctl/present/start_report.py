"""A start in lines: what took how long, what the rest waited for, and what was not as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    pad,
    pad_left,
    width_of,
)
from prismctl.present.units import UNKNOWN, render_duration
from prismctl.present.wording import component_title

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS_WIDTH: Final = 6
_BAR_WIDTH: Final = 20
_FULL: Final = "█"
_PATH_MARK: Final = "▸"
_LEAD_TITLE: Final = "plan and engine"
_LEAST_BAR_ROOM: Final = 60
"""In narrower terminals the words have the room."""


def report_lines(report: Mapping[str, Any], *, width: int) -> list[Line]:
    """The report, given as a document, as a table with a line above and one below."""
    return [
        clip_line(line(report_headline(report)), width),
        (),
        *_part_lines(report, width),
        (),
        *_path_lines(report, width),
    ]


def report_headline(report: Mapping[str, Any]) -> str:
    """The start in one line: ``ready in 2.9 s, usually 2.6 s (10 starts)``."""
    words = f"ready in {render_duration(report['ready_seconds'])}"
    usual = report["usual_seconds"]
    if usual is None:
        return f"{words}, the first start of this selection here"
    starts = count_of(report["compared"], "start")
    return f"{words}, usually {render_duration(usual)} ({starts} before it)"


def slower_words(report: Mapping[str, Any]) -> str:
    """What took clearly longer than usual, in one line; empty when nothing did."""
    slower = [part for part in report["parts"] if part["slower"]]
    return ", ".join(
        f"{_title(part).strip()} took {render_duration(part['seconds'])} instead of {render_duration(part['usual_seconds'])}"
        for part in slower
    )


def _part_lines(report: Mapping[str, Any], width: int) -> list[Line]:
    parts = report["parts"]
    name_width = max((width_of(_title(part)) for part in parts), default=0)
    longest = max((part["seconds"] or 0.0 for part in parts), default=0.0)
    has_bars = width >= _LEAST_BAR_ROOM and longest > 0
    header = f"    {pad('', name_width)}  {pad_left('took', _SECONDS_WIDTH)}  {pad_left('usual', _SECONDS_WIDTH)}"
    rows = [clip_line(line(Span(header, Tone.MUTED)), width)]
    for part in parts:
        mark = _PATH_MARK if part["critical"] else " "
        took = pad_left(render_duration(part["seconds"]), _SECONDS_WIDTH)
        usual = pad_left(_usual_words(part), _SECONDS_WIDTH)
        bar = ""
        if has_bars:
            bar = _FULL * round(_BAR_WIDTH * (part["seconds"] or 0.0) / longest)
        rows.append(
            clip_line(
                line(
                    f"  {mark} {pad(_title(part), name_width)}  ",
                    Span(took, Tone.BUSY if part["slower"] else Tone.PLAIN),
                    Span(f"  {usual}", Tone.MUTED),
                    Span(f"  {bar}", Tone.ACCENT) if bar else "",
                    Span("  slower than usual", Tone.BUSY) if part["slower"] else "",
                ),
                width,
            )
        )
    return rows


def _path_lines(report: Mapping[str, Any], width: int) -> list[Line]:
    path = report["critical_path"]
    if not path:
        return []
    words = f"{_PATH_MARK} all waited for {' → '.join(clean(str(name)) for name in path)}"
    return [line("  ", Span(clip(words, max(1, width - 2)), Tone.MUTED))]


def _usual_words(part: Mapping[str, Any]) -> str:
    usual = part["usual_seconds"]
    return UNKNOWN if usual is None else render_duration(usual)


def _title(part: Mapping[str, Any]) -> str:
    name = clean(str(part["name"]))
    if part["type"] == "lead":
        return _LEAD_TITLE
    return f"  {component_title(name)}" if part["type"] == "agent" else name
