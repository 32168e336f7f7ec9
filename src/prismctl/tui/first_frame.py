"""A full screen before there is anything that could run one: Textual takes longer to load than people like to wait.

What is drawn is what the screen's own pure functions say. From then on the terminal keeps what is typed, in order and
unseen, for the application that takes over; a signal, an error or a screen that never comes gives it back as it was.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from prismctl.present.colours import COLOURLESS_SGR, SGR
from prismctl.present.text import clip_line, line_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType, TracebackType

    from prismctl.present.text import Line

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""The alternate screen, without a cursor. Whoever takes over enters it once more, which changes nothing."""
_LEAVE: Final = "\x1b[?1049l\x1b[?25h"
_REVERSE: Final = "7"
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""What ends the call; it is passed on once the terminal is given back."""
_TOUCHED: Final = (*_ENDING, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
"""What is answered here or by Textual, and afterwards by whoever did before."""


class Cell(NamedTuple):
    """A part of a screen's line: words in so many columns, cut off or filled up."""

    words: Line
    width: int
    is_under_cursor: bool = False


FrameLine = tuple[Cell, ...]
"""One line of the screen, from the left."""


def render_frame(lines: Sequence[FrameLine], *, has_colour: bool) -> str:
    """The lines as a terminal draws them, each at its place; what was there before is gone."""
    looks = SGR if has_colour else COLOURLESS_SGR
    drawn = (
        f"\x1b[{number};1H" + "".join(_render_cell(cell, looks) for cell in cells) + "\x1b[K"
        for number, cells in enumerate(lines, start=1)
    )
    return "".join(drawn) + "\x1b[J"


def _render_cell(cell: Cell, looks: Any) -> str:
    clipped = clip_line(cell.words, cell.width)
    always = (_REVERSE,) if cell.is_under_cursor else ()
    parts = [(span.text, looks.get(span.tone)) for span in clipped]
    parts.append((" " * (cell.width - line_width(clipped)), None))
    return "".join(_painted(text, *always, *filter(None, (look,))) for text, look in parts)


def _painted(text: str, *looks: str) -> str:
    return f"\x1b[{';'.join(looks)}m{text}\x1b[0m" if text and looks else text


class FirstFrame:
    """A context manager that shows a frame until an application takes the terminal over, or nobody does.

    Inside, signals are noted, not raised, so that whatever is loaded and begun meanwhile is whole: the first of them
    gives the terminal back at once, `has_ended` says that it came, and the end of the context passes it on.
    """

    def __init__(
        self, draw: Callable[[int, int], Sequence[FrameLine]], *, has_colour: bool
    ) -> None:
        self._draw = draw
        """The lines for so many columns and lines."""
        self._has_colour = has_colour
        self._keyboard = sys.stdin.fileno()
        # As Textual: what is written to stdout may be somebody's data.
        self._screen = sys.stderr.fileno()
        self._modes: list[Any] | None = None
        self._before: dict[int, Any] = {}
        self._is_shown = False
        self._is_handed_over = False
        self.ended_by = 0
        """The signal that came, if one did."""

    def __enter__(self) -> Self:
        """Draw, and keep what is typed to oneself."""
        for number in _TOUCHED:
            self._before[number] = signal.getsignal(number)
        for number in (*_ENDING, signal.SIGHUP):
            # What is ignored (a job in the background of a script) stays ignored.
            if self._before[number] is not signal.SIG_IGN:
                signal.signal(number, self._end)
        signal.signal(signal.SIGWINCH, self._draw_anew)
        self._is_shown = True
        try:
            self._modes = termios.tcgetattr(self._keyboard)
            termios.tcsetattr(self._keyboard, termios.TCSANOW, _typing_modes(self._modes))
            self._write(_ENTER + self._render())
        except (termios.error, OSError):
            # A terminal that went away just now; whoever reads from it next will notice.
            self._give_back()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the terminal back, and signals to whoever heard them before."""
        self._give_back()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.ended_by:
            os.kill(os.getpid(), self.ended_by)

    @property
    def modes_before(self) -> list[Any] | None:
        """The terminal's modes as they were found: those in which others expect it."""
        return self._modes

    @property
    def has_ended(self) -> bool:
        """Whether a signal came that shall end all this."""
        return bool(self.ended_by)

    def hand_over(self) -> None:
        """Leave the screen to an application that begins now, and gives it back itself; signals are still noted."""
        self._is_handed_over = True

    def take_back(self) -> None:
        """The application has never had the screen after all."""
        self._is_handed_over = False

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.ended_by = self.ended_by or number
        if not self._is_handed_over:
            self._give_back()
        if number == signal.SIGHUP:
            # Nobody is there any more who could be told anything.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _draw_anew(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_shown and not self._is_handed_over:
            with contextlib.suppress(OSError):
                self._write(self._render())

    def _render(self) -> str:
        # Asked as Textual asks: both find the same size.
        size = shutil.get_terminal_size()
        return render_frame(self._draw(size.columns, size.lines), has_colour=self._has_colour)

    def _give_back(self) -> None:
        if not self._is_shown:
            return
        self._is_shown = False
        if not self._is_handed_over:
            with contextlib.suppress(OSError):
                self._write(_LEAVE)
        if self._modes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._modes)

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._screen, data) :]


def _typing_modes(modes: list[Any]) -> list[Any]:
    """The modes in which what is typed is not shown, and kept key by key.

    Ctrl-C alone still acts at once. Enter stays what it is, else the application would take it for another key.
    """
    flags = [*modes[: tty.CC], [*modes[tty.CC]]]
    flags[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    flags[tty.IFLAG] &= ~(
        termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR
    )
    flags[tty.CC][termios.VMIN], flags[tty.CC][termios.VTIME] = 1, 0
    # To be suspended or killed with the alternate screen on would leave the shell there.
    disabled = bytes([os.fpathconf(sys.stdin.fileno(), "PC_VDISABLE")])
    flags[tty.CC][termios.VSUSP] = flags[tty.CC][termios.VQUIT] = disabled
    return flags
