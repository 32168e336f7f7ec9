"""The top of the dashboard: how the stack is, and in one line what it waits for or what is wrong; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.standing import describe_standing
from prismctl.present.start_report import report_headline, slower_words
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip_line,
    line,
    spread,
    wrap_text,
)
from prismctl.present.units import render_bytes, render_duration
from prismctl.present.wording import engine_title, symbol_of, tone_of
from prismctl.tui.dashboard.state import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.tui.dashboard.state import DashboardState


_MOST_LINES_OF_NOTES: Final = 2
REPORTED_SECONDS: Final = 120.0
"""For how long after a start it is told what that took."""


def head_lines(state: DashboardState, width: int, now: float) -> list[Line]:
    """How the stack is, and what it waits for."""
    status = state.status or {}
    word, tone, symbol = verdict_of(state, status)
    parts: list[str] = []
    if state.status is not None:
        parts.append("read-only" if state.is_read_only else "")
        parts.append(engine_title(str(status.get("engine") or "")))
        up = _uptime(state, status, now)
        if up and state.link is not Link.STOPPED:
            parts.append(f"up {up}")
        if status.get("memory_bytes"):
            limit = status.get("memory_limit_bytes")
            of_limit = f" of {render_bytes(limit)}" if limit else ""
            parts.append(f"{render_bytes(status['memory_bytes'])}{of_limit}")
    left = line(
        " ",
        Span(clean(state.stack), Tone.STRONG),
        "  ",
        Span(f"{symbol} {word}", tone),
        *(f" · {part}" for part in parts if part),
    )
    origin = clean(str(status.get("origin") or ""))
    first = spread(left, line(Span(f"{origin} ", Tone.MUTED)) if origin else (), width)
    return [first, *_notice_lines(state, status, width, now)]


def verdict_of(state: DashboardState, status: Mapping[str, Any]) -> tuple[str, Tone, str]:
    """How the stack is: the word, its tone and its sign."""
    if state.link is Link.STALE:
        return "stale", Tone.BUSY, symbol_of("degraded")
    if state.link is Link.STOPPED:
        return "stopped", Tone.MUTED, symbol_of("stopped")
    if state.status is None:
        return "opening", Tone.BUSY, symbol_of("starting")
    word = str(status.get("state") or "")
    return word, tone_of(word), symbol_of(word)


def _uptime(state: DashboardState, status: Mapping[str, Any], now: float) -> str:
    seconds = status.get("uptime_seconds")
    if seconds is None:
        return ""
    if state.link is Link.LIVE:
        seconds += max(0.0, now - state.status_at)
    # Tenths of a second would move all the time.
    return render_duration(seconds) if seconds >= 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - from where there are no tenths


def _notice_lines(
    state: DashboardState, status: Mapping[str, Any], width: int, now: float
) -> list[Line]:
    """What holds everything up, and what there is to know of the machine, a line each; never no line."""
    if state.link is Link.STALE:
        age = max(0, int(now - state.status_at))
        why = f": {clean(state.loss.reason)}" if state.loss is not None else ""
        words = f" {age} s old, trying again{why}"
        return [clip_line(line(Span(words, Tone.BUSY)), width)]
    if state.link is Link.STOPPED:
        return [clip_line(line(Span(" it was stopped from elsewhere", Tone.BUSY)), width)]
    if state.status is None:
        return [()]
    told: list[tuple[str, Tone]] = []
    words, tone = describe_standing(status)
    if words:
        told.append((words, tone))
    if notes := notes_of(status):
        # Who is told what is wrong has to know, too, that the disk is full or nobody restarts anything, and what to type.
        own = Tone.BUSY if words else Tone.PLAIN
        rows = wrap_text(notes, max(1, width - 1), most_lines=_MOST_LINES_OF_NOTES)
        told += [(row, own) for row in rows]
    if not told and state.report is not None:
        told.append((_describe_start(state.report, status), Tone.MUTED))
    return [
        clip_line(line(Span(f" {words}" if words else "", tone)), width)
        for words, tone in told or [("", Tone.MUTED)]
    ]


def _describe_start(report: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """What the start took, as long as it is news."""
    if (status.get("uptime_seconds") or 0.0) > REPORTED_SECONDS:
        return ""
    slower = slower_words(report)
    return f"{report_headline(report)}{f'; {slower}' if slower else ''}"


def notes_of(status: Mapping[str, Any]) -> str:
    """All that there is to know besides, in one line; empty where there is nothing."""
    return " · ".join(clean(str(note)) for note in status.get("notes") or ())
