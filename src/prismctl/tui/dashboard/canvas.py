"""Where a frame is drawn, and what is heard of the mouse."""

from __future__ import annotations

import contextlib
import termios
from typing import TYPE_CHECKING, Any, ClassVar

from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region
from textual.widget import Widget

from prismctl.tui.dashboard.frame import Frame, changed_lines
from prismctl.tui.dashboard.themes import draw_line

if TYPE_CHECKING:
    from textual.strip import Strip

    from prismctl.tui.dashboard.themes import Theme


class CalmDriver(LinuxDriver):
    """Hears clicks and the wheel, and nothing of a mouse that only moves: less to do, and selecting stays the terminal's.

    While somebody else has the terminal, it is in the modes in which it was found: what was drawn before Textual was
    loaded had changed them already.
    """

    modes_before: ClassVar[list[Any] | None] = None

    def _enable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1006h")
            self.flush()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        super().suspend_application_mode()
        if self.modes_before is not None:
            # One that has gone has no modes.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.modes_before)


def make_driver(modes: list[Any] | None) -> type[CalmDriver]:
    """The driver for a terminal that was found in some modes."""
    return type("CalmDriver", (CalmDriver,), {"modes_before": modes})


class Canvas(Widget, can_focus=True):
    """The lines of a frame; only those that changed are drawn again."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(id="canvas")
        self._theme = theme
        self.frame = Frame(lines=())

    def show(self, frame: Frame) -> None:
        """Show another frame."""
        changed = changed_lines(self.frame, frame)
        self.frame = frame
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        lines = self.frame.lines
        return draw_line(
            lines[y] if y < len(lines) else (),
            self.size.width,
            self._theme,
            is_under_cursor=y in self.frame.cursor_lines,
        )
