"""Where on the screen everything of the picker is, and what it says there; pure.

Textual's widgets and the first frame, which is drawn before Textual is loaded, both show what is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    fold,
    line,
    line_width,
    pad,
    spread,
    wrap_text,
)
from prismctl.tui.first_frame import Cell
from prismctl.tui.picker.preview import preview_lines
from prismctl.tui.picker.rows import fit_columns, row_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.tui.first_frame import FrameLine
    from prismctl.tui.picker.preview import Preview
    from prismctl.tui.picker.state import PickerState

WIDE: Final = 100
"""Columns from which the preview stands beside the list."""
TITLE_LINES: Final = 2
FOOT_LINES: Final = 3
_LIST_LINES: Final = 14
"""Of the screen's lines, what the list and all but the preview have for themselves where there are few."""
_PREVIEW_LINES: Final = (2, 9)
"""How few and how many the preview has below the list."""
_GAP: Final = 2
"""Columns between the list and a preview beside it."""
_LIST_SHARE: Final = 3 / 5
_MOST_LINES: Final = 20
"""Into which words are folded; what is longer than that is nothing anybody typed."""
KEYS: Final = (
    ("space", "take a service in or out"),
    ("enter", "start what is chosen"),
    ("s", "save it as a profile"),
    ("p", "go on to the next preset or profile"),
    ("/", "find by name, tag or description; esc shows all again"),
    ("a", "all of the group in, or out"),
    ("m", "more of the preview, then from its top again"),
    ("c", "copy the command that does the same"),
    ("j k ↑ ↓ g G", "move"),
    ("q esc", "leave; nothing is started"),
)
"""What `?` shows."""
_KEY_WIDTH: Final = 12
QUESTIONS: Final = {"find": "find: ", "name": "save as: "}
"""What stands before what is being typed."""
_QUESTION_HELP: Final = {
    "find": "enter keep these · esc show all again",
    "name": "enter save · esc save nothing",
}
_HELPS: Final = (
    "space toggle · enter start · s save · p preset · / find · a group · c copy · ? help · q quit",
    "space toggle · enter start · s save · ? help · q quit",
    "space · enter · s save · ? help · q quit",
)
"""The longest that fits is shown."""


class Layout(NamedTuple):
    """How the space between title and foot is divided."""

    is_wide: bool
    list_width: int
    list_height: int
    preview_width: int
    preview_height: int


def divide(
    width: int, height: int, foot: int = FOOT_LINES, *, is_explained: bool = False
) -> Layout:
    """The layout of a screen of that size.

    Args:
        width: of the screen.
        height: of the screen.
        foot: how many lines are below list and preview.
        is_explained: the keys stand in the preview's place, and are what somebody wants to see.
    """
    body = max(0, height - TITLE_LINES - foot)
    if width >= WIDE:
        listed = int((width - _GAP) * _LIST_SHARE)
        return Layout(True, listed, body, width - _GAP - listed, body)
    fewest, most = _PREVIEW_LINES
    preview = max(fewest, min(most, height - _LIST_LINES + FOOT_LINES - foot))
    if is_explained:
        # The list keeps a line, as the empty one between the two does.
        preview = max(preview, min(len(KEYS), body - 2))
    return Layout(False, width, max(0, body - preview - 1), width, preview)


def follow_cursor(cursor: int, top: int, height: int) -> int:
    """The first row that is shown so that the cursor is in view, with its heading where that is just above.

    Args:
        cursor: the row it is on.
        top: the first row that was shown so far.
        height: how many rows are shown.
    """
    if max(0, cursor - 1) < top:
        return max(0, cursor - 1)
    return cursor - height + 1 if cursor >= top + height > top else top


def title_line(state: PickerState, stack: str) -> Line:
    """What this is, what the selection started from, and what is looked for."""
    where = f"stack {stack}" if stack != "default" else ""
    found = f"find: {state.words}" if state.words else ""
    rest = " · ".join(each for each in (state.origin, where, found) if each)
    return line(Span("Prism Stack Builder", Tone.STRONG), "   ", Span(clean(rest), Tone.MUTED))


def foot_lines(
    state: PickerState,
    command: Sequence[str],
    size: tuple[int, int],
    preview: Preview | None = None,
    *,
    asks_for: str = "",
) -> list[Line]:
    """What is different about the service under the cursor, the command that starts the same, and the keys or what the last one did.

    Args:
        state: what is chosen and listed.
        command: that starts the same; folded where the screen is too narrow, its end is never cut off.
        size: columns and lines of the screen.
        preview: what is known of the selection.
        asks_for: what is being typed, ``find`` or ``name``.
    """
    width, height = size
    help_words = next((each for each in _HELPS if len(each) <= width), _HELPS[-1])
    help_words = _QUESTION_HELP.get(asks_for, help_words)
    first, *rest = wrap_text(" ".join(command), max(1, width - 2), most_lines=_MOST_LINES)
    told = wrap_text(clean(state.message), max(1, width), most_lines=_MOST_LINES)
    name = state.service
    different = preview.explain(name) if preview is not None and name is not None else ""
    remark = f"{name}: {different}" if different else ""
    lines = [
        line(Span(clean(remark), Tone.MUTED)),
        line(Span(f"$ {first}", Tone.ACCENT)),
        *(line(Span(f"  {each}", Tone.ACCENT)) for each in rest),
        *(line(Span(each, Tone.BUSY)) for each in told if state.message and not asks_for),
    ]
    if asks_for or not state.message:
        lines.append(line(Span(help_words, Tone.MUTED)))
    # Of what would hide all the rest, the end counts.
    return lines[-max(FOOT_LINES, height // 2) :]


def page_lines(lines: Sequence[Line], width: int, height: int, top: int = 0) -> list[Line]:
    """What of some lines is in view from one of them on; the last line says how many more there are, and which key shows them."""
    shown = list(lines[top : top + height])
    left = len(lines) - top - height
    if left <= 0 or not shown:
        return shown
    more = line(Span(f"{left} more: m", Tone.MUTED))
    if line_width(shown[-1]) + line_width(more) + _GAP <= width:
        shown[-1] = spread(shown[-1], more, width)
    else:
        shown[-1] = line(Span(f"  {left + 1} more: m", Tone.MUTED))
    return shown


def next_page(count: int, height: int, top: int) -> int:
    """The first line in view after another page, with the last one of this again; after the end, the first of all."""
    return 0 if top + height >= count else top + max(1, height - 1)


def roll_page(count: int, height: int, top: int, by: int) -> int:
    """The first line in view after the wheel moved some lines by so many; by fewer where a line would never be in view."""
    most = max(1, height - 1)
    return max(0, min(top + max(-most, min(by, most)), count - height))


def key_lines(width: int) -> list[Line]:
    """What each key does, folded where that takes more than the width."""
    lines: list[Line] = []
    for key, words in KEYS:
        first, *rest = fold(words, max(8, width - _KEY_WIDTH - 2))
        lines.append(line("  ", Span(pad(key, _KEY_WIDTH), Tone.ACCENT), Span(first, Tone.MUTED)))
        lines += [line(" " * (_KEY_WIDTH + 2), Span(each, Tone.MUTED)) for each in rest]
    return lines


def frame_lines(
    state: PickerState, *, stack: str, command: Sequence[str], width: int, height: int
) -> list[FrameLine]:
    """The whole screen as it is while nothing is known but the selection.

    Args:
        state: what is chosen and listed.
        stack: which one would be started.
        command: that starts the same.
        width: of the screen, in columns.
        height: of the screen, in lines.
    """
    below = foot_lines(state, command, (width, height))
    layout = divide(width, height, len(below))
    listed = _list_lines(state, layout)
    told = preview_lines(state.picking, None, layout.preview_width)
    preview: list[FrameLine] = [
        (Cell(words, layout.preview_width),)
        for words in page_lines(told, layout.preview_width, layout.preview_height)
    ]
    shown = _cut(preview, layout.preview_height)
    if layout.is_wide:
        gap = (Cell((), _GAP),)
        body = [(*left, *gap, *right) for left, right in zip(listed, shown, strict=True)]
    else:
        body = [*listed, (), *shown]
    foot = [(Cell(words, width),) for words in below]
    title = [(Cell(title_line(state, stack), width),), ()]
    return _cut([*title, *body], max(0, height - len(below))) + foot[: max(0, height)]


def _list_lines(state: PickerState, layout: Layout) -> list[FrameLine]:
    height = layout.list_height
    # What does not fit has a scroll bar, in the last column.
    width = layout.list_width - (len(state.rows) > height)
    widths, selected = fit_columns(state.picking.catalog), state.picking.selected
    top = follow_cursor(state.cursor, 0, height)
    lines: list[FrameLine] = []
    for index, row in list(enumerate(state.rows))[top : top + height]:
        is_here = index == state.cursor and row.service is not None
        words = row_line(row, state.picking.catalog, selected, None, widths)
        lines.append((Cell(words, width, is_here), Cell((), layout.list_width - width)))
    if not state.rows:
        lines.append((Cell(NOTHING_FITS, layout.list_width),))
    lines += [(Cell((), layout.list_width),)] * height
    return lines[:height]


NOTHING_FITS: Final = line(Span("  nothing fits", Tone.MUTED))
"""In place of rows, where somebody looks for what is not there."""


def _cut(lines: Sequence[FrameLine], height: int) -> list[FrameLine]:
    """Exactly so many lines."""
    return [*lines, *([()] * height)][:height]
