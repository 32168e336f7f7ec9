"""The parts of the picker's screen: lines as they are, and the list of services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.widget import Widget

from prismctl.tui.looks import to_strip
from prismctl.tui.picker.rows import Widths, fit_columns, row_line
from prismctl.tui.picker.screen import NOTHING_FITS, follow_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.strip import Strip

    from prismctl.domain.service import ServiceName
    from prismctl.present.text import Line
    from prismctl.tui.picker.preview import Preview
    from prismctl.tui.picker.state import PickerState


class LinesView(Widget):
    """Lines as they are, from the top; what does not fit is cut off."""

    def __init__(self, *, id: str, has_colour: bool) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._has_colour = has_colour
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        spans = self._lines[y] if y < len(self._lines) else ()
        return to_strip(spans, self.size.width, has_colour=self._has_colour)


class ServiceList(ScrollView, can_focus=True):
    """The services; only what is in view is drawn, however many there are."""

    class Clicked(Message):
        """A row was clicked at."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, has_colour: bool) -> None:
        super().__init__(id="services")
        self._has_colour = has_colour
        self._state: PickerState | None = None
        self._preview: Preview | None = None
        self._selected: dict[ServiceName, str] = {}
        self._widths = Widths(0, 0)

    def show(self, state: PickerState, preview: Preview | None) -> None:
        """Show what is chosen and known now."""
        if self._state is None:
            self._widths = fit_columns(state.picking.catalog)
        if self._state is None or state.picking is not self._state.picking:
            # Worked out once a change, not once a line.
            self._selected = state.picking.selected
        self._state, self._preview = state, preview
        self._follow_cursor()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._follow_cursor()

    def _follow_cursor(self) -> None:
        state = self._state
        if state is None:
            return
        self.virtual_size = Size(0, len(state.rows))
        top = int(self.scroll_offset.y)
        wanted = follow_cursor(state.cursor, top, self.size.height)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Tell which row is clicked at."""
        if event.button == 1:
            self.post_message(self.Clicked(self._row_at(event.y)))

    def _row_at(self, y: int) -> int:
        return y + int(self.scroll_offset.y)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        state, index = self._state, self._row_at(y)
        # Beside the scroll bar, not below it.
        width = self.scrollable_content_region.width
        if state is None or index >= len(state.rows):
            is_nothing_found = state is not None and not state.rows and y == 0
            words = NOTHING_FITS if is_nothing_found else ()
            return to_strip(words, width, has_colour=self._has_colour)
        row = state.rows[index]
        spans = row_line(row, state.picking.catalog, self._selected, self._preview, self._widths)
        is_here = index == state.cursor and row.service is not None
        return to_strip(spans, width, has_colour=self._has_colour, is_under_cursor=is_here)
