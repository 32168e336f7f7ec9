"""Logs in the dashboard: which lines there are for what is asked, and how one looks; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.present.failure import has_run
from prismctl.present.log_levels import Level, level_of
from prismctl.present.loglines import colour_of, last_state, without_own_time
from prismctl.present.reason import note_of
from prismctl.present.structured_logs import parse_structured, render_fields
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    pad,
)
from prismctl.present.units import render_clock
from prismctl.tui.dashboard.state import Focus, Pane
from prismctl.tui.dashboard.view import View

if TYPE_CHECKING:
    from prismctl.tui.dashboard.logbook import Logbook, LogLine
    from prismctl.tui.dashboard.state import DashboardState

_LONGEST_SOURCE: Final = 20


def log_lines_of(state: DashboardState, logbook: Logbook) -> tuple[int, int]:
    """The numbers of the first line of the pane's logs and of the one after the last."""
    if state.log_filter:
        return 0, len(_filtered_lines(state, logbook))
    ring = logbook.ring(_log_source(state))
    return ring.first, ring.end


def _log_source(state: DashboardState) -> str:
    return "" if state.pane is Pane.ALL_LOGS else state.selected


def _filtered_lines(state: DashboardState, logbook: Logbook) -> list[LogLine]:
    words = state.log_filter.lower()
    return [
        each
        for each in logbook.ring(_log_source(state)).all()
        # How much is missing is told whatever somebody looks for.
        if each.is_note or words in each.text.lower()
    ]


def take_log_lines(state: DashboardState, logbook: Logbook, begin: int, end: int) -> list[LogLine]:
    """Lines of the pane's logs by their numbers."""
    if state.log_filter:
        return _filtered_lines(state, logbook)[max(0, begin) : end]
    return logbook.ring(_log_source(state)).take(begin, end)


def view_logs(state: DashboardState, logbook: Logbook, width: int, page: int) -> View:
    """The part of the logs that is seen."""
    first, end = log_lines_of(state, logbook)
    bottom = max(first, end - page)
    top = bottom if state.scroll.line is None else max(first, min(state.scroll.top, bottom))
    entries = take_log_lines(state, logbook, top, top + page)
    is_merged = state.pane is Pane.ALL_LOGS
    sources = 0
    if is_merged:
        names = [str(service["name"]) for service in state.services]
        sources = min(_LONGEST_SOURCE, max((len(name) for name in names), default=0))
    lines = [log_line(entry, width, sources=sources) for entry in entries]
    cursor = None
    if state.focus is Focus.PANE and end > first:
        cursor = end - 1 if state.scroll.line is None else max(first, state.scroll.line)
    title = "logs: all" if is_merged or not state.selected else f"logs: {clean(state.selected)}"
    if state.log_filter:
        title += f" with `{clean(state.log_filter)}`"
    remark = "" if state.scroll.line is None else f"{max(0, end - top - page)} lines below"
    if end <= first:
        lines = [line("  ", Span(_why_empty(state, logbook), Tone.MUTED))]
    return View(
        title=title, lines=lines, top=top, first=first, end=end, cursor=cursor, remark=remark
    )


def _why_empty(state: DashboardState, logbook: Logbook) -> str:
    if not logbook.is_read:
        return "reading what was printed…"
    if state.log_filter:
        return "no line fits"
    service = state.service
    if service is not None and not has_run(service):
        why = note_of(service)
        key = state.keymap.first_key("card")
        return f"it has not run yet{f': {why}' if why else ''}{f'; {key} says more' if key else ''}"
    return "it has printed nothing yet"


_SOURCE_TONES: Final = (Tone.ACCENT, Tone.GOOD, Tone.BUSY, Tone.STRONG)


def log_line(entry: LogLine, width: int, *, sources: int = 0) -> Line:
    """One line of a log: when, whose where there are several, and what it says, made harmless."""
    clock = render_clock(entry.time)
    # What cannot be seen need not be made harmless.
    text = clean(readable_text(entry.text)[: 4 * width])
    level = level_of(entry.text)
    tone = Tone.PLAIN
    if level is not None and level >= Level.ERROR:
        tone = Tone.BAD
    elif level is Level.WARN or entry.is_note:
        tone = Tone.BUSY
    elif level is not None and level < Level.INFO:
        tone = Tone.MUTED
    spans = [Span(f"{clock} " if clock else "", Tone.MUTED)]
    if sources:
        name = clean(entry.source)
        own = _SOURCE_TONES[colour_of(entry.service) % len(_SOURCE_TONES)]
        spans.append(Span(f"{pad(clip(name, sources), sources)} ", own))
    spans.append(Span(text, tone))
    return clip_line(tuple(span for span in spans if span.text), width)


def readable_text(text: str) -> str:
    """A line as somebody reads it: JSON as its message and fields, a progress bar in its last state, no second time."""
    if "\r" in text:
        text = last_state(text)
    if text.startswith("{") and (parsed := parse_structured(text)) is not None:
        level = level_of(text)
        words = (level.name if level is not None else "", parsed.message, render_fields(parsed))
        return " ".join(each for each in words if each)
    return without_own_time(text)


def text_of_log(entry: LogLine, *, has_source: bool) -> str:
    """The line as it is copied."""
    clock = render_clock(entry.time)
    source = f"{clean(entry.source)} " if has_source else ""
    return f"{clock} {source}{clean(entry.text)}"
