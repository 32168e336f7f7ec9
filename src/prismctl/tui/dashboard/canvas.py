"""Where a frame is drawn, and what is heard of the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.widget import Widget

from prismctl.tui.dashboard.frame import Frame
from prismctl.tui.dashboard.themes import draw_line

if TYPE_CHECKING:
    from textual.strip import Strip

    from prismctl.tui.dashboard.themes import Theme


class CalmMouseDriver(LinuxDriver):
    """Hears clicks and the wheel, and nothing of a mouse that only moves: less to do, and selecting stays the terminal's."""

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1006h")
            self.flush()


class Canvas(Widget, can_focus=True):
    """The lines of a frame; only those that changed are drawn again."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(id="canvas")
        self._theme = theme
        self.frame = Frame(lines=())

    def show(self, frame: Frame) -> None:
        """Show another frame."""
        before, self.frame = self.frame, frame
        width = self.size.width
        count = max(len(before.lines), len(frame.lines))
        changed = [
            Region(0, y, width, 1)
            for y in range(count)
            if y >= len(before.lines)
            or y >= len(frame.lines)
            or before.lines[y] != frame.lines[y]
            or (y in before.cursor_lines) != (y in frame.cursor_lines)
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        lines = self.frame.lines
        return draw_line(
            lines[y] if y < len(lines) else (),
            self.size.width,
            self._theme,
            is_under_cursor=y in self.frame.cursor_lines,
        )
