"""Lines on stdout as a context: those that are redrawn in place and taken away at the end, and those that stay."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from typing import TYPE_CHECKING, Any, Final, Self

from prismctl.present.text import Tone

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live

    from prismctl.cli.invocation import Invocation
    from prismctl.present.text import Line

_STYLES: Final = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.BUSY: "yellow",
    Tone.BAD: "red",
    Tone.MUTED: "dim",
    Tone.STRONG: "bold",
    Tone.ACCENT: "cyan",
}


class StillLines:
    """For those who write lines that stay, or none: a context with nothing to begin and nothing to tidy up."""

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to tidy up."""


class LiveLines(StillLines):
    """An area at the end of the terminal; used as a context, and nothing is drawn before the first lines."""

    def __init__(self, call: Invocation) -> None:
        self._call = call
        self._live: Live | None = None
        self._modes: list[Any] | None = None
        """Of the keyboard, to be given back."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the lines off the screen and give the cursor back."""
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
        if self._modes is not None:
            _give_keyboard_back(self._modes)
            self._modes = None

    @property
    def size(self) -> tuple[int, int]:
        """Cells and lines there are."""
        size = self._begin().console.size
        return size.width, size.height

    def draw(self, lines: list[Line]) -> None:
        """Show these lines in place of the ones before."""
        self._begin().update(_styled(lines), refresh=True)

    def _begin(self) -> Live:
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(
                file=sys.stdout, no_color=not self._call.has_colour, highlight=False, markup=False
            )
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._modes = _silence_keyboard()
            self._live.__enter__()
        return self._live


def _silence_keyboard() -> list[Any] | None:
    """Let keys that are pressed meanwhile not show between the lines; the modes before, ``None`` where nothing was done.

    Keys that make signals do what they always do.
    """
    try:
        descriptor = sys.stdin.fileno()
        if not os.isatty(descriptor) or os.tcgetpgrp(descriptor) != os.getpgrp():
            return None
        modes = termios.tcgetattr(descriptor)
        silent = modes.copy()
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSANOW, silent)
    except (OSError, ValueError, termios.error):
        return None
    return modes


def _give_keyboard_back(modes: list[Any]) -> None:
    """The modes of before; what was typed meanwhile was meant for nobody, the shell least of all."""
    with contextlib.suppress(OSError, ValueError, termios.error):
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSAFLUSH, modes)


def _styled(lines: list[Line]) -> Any:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for index, spans in enumerate(lines):
        if index:
            text.append("\n")
        for span in spans:
            text.append(span.text, style=_STYLES[span.tone])
    return text
