"""A whole screen as lines: header, services, what is below them, and the foot; pure, and as wide and high as asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prismctl.present.reason import note_of
from prismctl.present.text import Line, Span, Tone, clean, clip_line, fold, line, width_of
from prismctl.tui.dashboard.foot import LEAST_LINES, foot_lines
from prismctl.tui.dashboard.header import head_lines
from prismctl.tui.dashboard.log_view import take_log_lines, text_of_log
from prismctl.tui.dashboard.panes import has_choices, title_of_pane, view_pane
from prismctl.tui.dashboard.rows import (
    fit_table,
    room_for_note,
    row_line,
    title_line,
    visible_rows,
)
from prismctl.tui.dashboard.state import Focus, Link, Pane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.tui.dashboard.logbook import Logbook
    from prismctl.tui.dashboard.rows import Table
    from prismctl.tui.dashboard.state import DashboardState

NARROWEST: Final = 20
FEWEST_ROWS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is on the screen."""

    lines: tuple[Line, ...]
    cursor_lines: frozenset[int] = frozenset()
    """Lines that are drawn as the one under the cursor."""
    services: Mapping[int, str] = field(default_factory=dict)
    """Which service stands on which line."""
    pane: range = range(0)
    """The lines of the pane, without its title."""
    pane_top: int = 0
    """The number of the line that is first in it."""
    first: int = 0
    """The number of the first line that there is for the pane."""
    end: int = 0
    """That of the line after the last."""


def changed_lines(before: Frame, after: Frame) -> list[int]:
    """The numbers of the lines that have to be drawn again."""
    count = max(len(before.lines), len(after.lines))
    both = min(len(before.lines), len(after.lines))
    return [
        y
        for y in range(count)
        if y >= both
        or before.lines[y] != after.lines[y]
        or (y in before.cursor_lines) != (y in after.cursor_lines)
    ]


def compose_frame(
    state: DashboardState, logbook: Logbook, *, width: int, height: int, now: float
) -> Frame:
    """The screen for what is known now."""
    width = max(NARROWEST, width)
    head = head_lines(state, width, now)
    room = max(0, height - len(head) - LEAST_LINES)
    foot = foot_lines(state, width, LEAST_LINES + room // 2)
    if state.status is None:
        room = max(0, height - len(head) - len(foot))
        body: list[Line] = [(), *_opening_lines(state, width)]
        lines = [*head, *body[:room], *[()] * max(0, room - len(body)), *foot]
        return Frame(lines=_fitting(lines, width, height))
    has_pane = state.pane is not Pane.NONE or state.link is Link.STOPPED or has_choices(state)
    shown = state.shown
    if not has_pane:
        room = max(0, height - len(head) - len(foot))
    # The title of the table, and that of the pane. Words in several lines take theirs from the pane: the table stands still.
    free = room - 1 - (1 if has_pane else 0)
    rows = min(len(shown), free)
    if has_pane:
        rows = min(rows, max(FEWEST_ROWS, free // 2), max(1, free - 1))
    rows = max(0, rows)
    _, visible = visible_rows(state, rows)
    table = fit_table(state.services, width)
    is_stale = state.link is not Link.LIVE
    lines = [*head, title_line(table)]
    services: dict[int, str] = {}
    for service in visible:
        name = str(service["name"])
        services[len(lines)] = name
        lines.append(
            row_line(
                service,
                state.history.get(name, ()),
                table,
                is_selected=name == state.selected,
                is_stale=is_stale,
            )
        )
    if not shown:
        words = f"no service fits `{clean(state.filter)}`" if state.filter else "no services"
        lines.append(line("  ", Span(words, Tone.MUTED)))
    hidden = len(shown) - len(visible)
    below = max(0, height - len(lines) - 1)
    if len(foot) > below:
        foot = foot_lines(state, width, max(LEAST_LINES, below))
    page = max(0, below - len(foot))
    if not has_pane:
        lines += [()] * max(0, height - len(foot) - len(lines))
        return Frame(lines=_fitting([*lines, *foot], width, height), services=services)
    view = view_pane(state, logbook, width=width, page=page)
    lines.append(title_of_pane(state, view, width, hidden, _unseen_note(state, table)))
    pane = range(len(lines), len(lines) + page)
    cursor = frozenset(
        {pane.start + view.cursor - view.top}
        if view.cursor is not None and 0 <= view.cursor - view.top < page
        else ()
    )
    lines += [*view.lines[:page], *[()] * (page - len(view.lines)), *foot]
    return Frame(
        lines=_fitting(lines, width, height),
        cursor_lines=cursor,
        services=services,
        pane=pane,
        pane_top=view.top,
        first=view.first,
        end=view.end,
    )


def _unseen_note(state: DashboardState, table: Table) -> str:
    """What is to be noted of the service whose logs are shown, where its row has no room to say all of it."""
    if state.service is None or state.pane is not Pane.LOGS or state.shows_card:
        return ""
    note = note_of(state.service)
    return note if width_of(note) > room_for_note(table) else ""


def _fitting(lines: list[Line], width: int, height: int) -> tuple[Line, ...]:
    return tuple(clip_line(each, width) for each in lines[:height])


def _opening_lines(state: DashboardState, width: int) -> list[Line]:
    if state.loss is None:
        return [line("  ", Span("asking the daemon…", Tone.MUTED))]
    words = [
        line("  ", Span(text, Tone.BUSY)) for text in fold(clean(state.loss.reason), width - 4)
    ]
    hint = [
        line("  ", Span("hint: ", Tone.ACCENT), text)
        for text in fold(clean(state.loss.hint), width - 10)
    ]
    return [*words, (), *hint]


def texts_to_copy(state: DashboardState, logbook: Logbook, frame: Frame) -> list[str]:
    """What `copy` copies: the line under the cursor, else what the pane shows, without anything around it."""
    is_log = state.pane in {Pane.LOGS, Pane.ALL_LOGS} and not state.shows_card
    if not is_log:
        return ["".join(span.text for span in frame.lines[y]).rstrip() for y in frame.pane]
    first, end = frame.pane_top, frame.pane_top + len(frame.pane)
    if state.focus is Focus.PANE and frame.cursor_lines:
        first = frame.pane_top + min(frame.cursor_lines) - frame.pane.start
        end = first + 1
    has_source = state.pane is Pane.ALL_LOGS
    return [
        text_of_log(entry, has_source=has_source)
        for entry in take_log_lines(state, logbook, first, end)
    ]
