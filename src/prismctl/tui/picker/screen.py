"""Where on the screen everything of the picker is, and what it says there; pure.

Textual's widgets and the first frame, which is drawn before Textual is loaded, both show what is said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.present.text import Line, Span, Tone, clean, line
from prismctl.tui.first_frame import Cell
from prismctl.tui.picker.preview import preview_lines
from prismctl.tui.picker.rows import name_width, row_line

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
_HELP: Final = (
    "space toggle · enter start · s save · p preset · / find · a group · c copy · ? help · q quit"
)
_SHORT_HELP: Final = "space toggle · enter start · s save · ? help · q quit"


class Layout(NamedTuple):
    """How the space between title and foot is divided."""

    is_wide: bool
    list_width: int
    list_height: int
    preview_width: int
    preview_height: int


def divide(width: int, height: int) -> Layout:
    """The layout of a screen of that size."""
    body = max(0, height - TITLE_LINES - FOOT_LINES)
    if width >= WIDE:
        listed = int((width - _GAP) * _LIST_SHARE)
        return Layout(True, listed, body, width - _GAP - listed, body)
    fewest, most = _PREVIEW_LINES
    preview = max(fewest, min(most, height - _LIST_LINES))
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
    state: PickerState, command: Sequence[str], width: int, preview: Preview | None = None
) -> list[Line]:
    """What is different about the service under the cursor, the command that starts the same, and the keys or what the last one did."""
    message = state.message
    help_words = _HELP if width > len(_HELP) else _SHORT_HELP
    name = state.service
    different = preview.explain(name) if preview is not None and name is not None else ""
    remark = f"{name}: {different}" if different else ""
    return [
        line(Span(clean(remark), Tone.MUTED)),
        line(Span(f"$ {' '.join(command)}", Tone.ACCENT)),
        line(Span(clean(message), Tone.BUSY) if message else Span(help_words, Tone.MUTED)),
    ]


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
    layout = divide(width, height)
    listed = _list_lines(state, layout)
    preview: list[FrameLine] = [
        (Cell(words, layout.preview_width),)
        for words in preview_lines(state.picking, None, layout.preview_width)
    ]
    shown = _cut(preview, layout.preview_height)
    if layout.is_wide:
        gap = (Cell((), _GAP),)
        body = [(*left, *gap, *right) for left, right in zip(listed, shown, strict=True)]
    else:
        body = [*listed, (), *shown]
    foot = [(Cell(words, width),) for words in foot_lines(state, command, width)]
    title = [(Cell(title_line(state, stack), width),), ()]
    return _cut([*title, *body], max(0, height - FOOT_LINES)) + foot[: max(0, height)]


def _list_lines(state: PickerState, layout: Layout) -> list[FrameLine]:
    height = layout.list_height
    # What does not fit has a scroll bar, in the last column.
    width = layout.list_width - (len(state.rows) > height)
    names, selected = name_width(state.picking.catalog), state.picking.selected
    top = follow_cursor(state.cursor, 0, height)
    lines: list[FrameLine] = []
    for index, row in list(enumerate(state.rows))[top : top + height]:
        is_here = index == state.cursor and row.service is not None
        words = row_line(row, state.picking.catalog, selected, None, names)
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
