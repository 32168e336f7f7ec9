"""How the tones of `present.text` look on the dashboard, by the theme that settings name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from prismctl.present.text import Tone, clip_line, width_of
from prismctl.tui.dashboard.theme_names import COLOURLESS, TERMINAL
from prismctl.tui.looks import COLOURLESS as COLOURLESS_STYLES
from prismctl.tui.looks import STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.present.text import Line


@dataclass(frozen=True, slots=True)
class Theme:
    """A look for each tone, and for the line under the cursor."""

    styles: Mapping[Tone, Style]
    cursor: Style


def _coloured(good: str, busy: str, bad: str, muted: str, accent: str) -> Theme:
    return Theme(
        {
            Tone.PLAIN: Style(),
            Tone.GOOD: Style(color=good),
            Tone.BUSY: Style(color=busy),
            Tone.BAD: Style(color=bad),
            Tone.MUTED: Style(color=muted),
            Tone.STRONG: Style(bold=True),
            Tone.ACCENT: Style(color=accent),
        },
        Style(reverse=True),
    )


THEMES: Final = {
    TERMINAL: Theme(STYLES, Style(reverse=True)),
    "dark": _coloured("#8ec07c", "#fabd2f", "#fb6a5b", "#928374", "#83a598"),
    "light": _coloured("#3b6e22", "#8a5a00", "#b3261e", "#6b6b6b", "#0b5c7a"),
    "contrast": Theme(
        {
            Tone.PLAIN: Style(color="bright_white"),
            Tone.GOOD: Style(color="bright_green", bold=True),
            Tone.BUSY: Style(color="bright_yellow", bold=True),
            Tone.BAD: Style(color="bright_red", bold=True),
            Tone.MUTED: Style(color="bright_white"),
            Tone.STRONG: Style(color="bright_white", bold=True, underline=True),
            Tone.ACCENT: Style(color="bright_cyan", bold=True),
        },
        Style(reverse=True),
    ),
    COLOURLESS: Theme(COLOURLESS_STYLES, Style(reverse=True)),
}
"""By the name that settings have for it; none of them carries meaning by colour alone."""


def choose_theme(name: str, *, has_colour: bool = True) -> Theme:
    """The theme that settings name; the terminal's own colours where they name none."""
    return THEMES[(name or TERMINAL) if has_colour else COLOURLESS]


def draw_line(spans: Line, width: int, theme: Theme, *, is_under_cursor: bool = False) -> Strip:
    """A line as Textual draws it: clipped to the width, and filled up to it."""
    clipped = clip_line(spans, width)
    extra = theme.cursor if is_under_cursor else Style()
    segments = [Segment(span.text, theme.styles[span.tone] + extra) for span in clipped]
    left = width - sum(width_of(span.text) for span in clipped)
    if left > 0:
        segments.append(Segment(" " * left, extra))
    return Strip(segments, width)
