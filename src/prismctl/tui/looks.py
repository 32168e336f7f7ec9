"""How the tones of `present.text` look on a full screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from prismctl.present.text import Tone, clip_line, width_of

if TYPE_CHECKING:
    from prismctl.present.text import Line

STYLES: Final = {
    Tone.PLAIN: Style(),
    Tone.GOOD: Style(color="green"),
    Tone.BUSY: Style(color="yellow"),
    Tone.BAD: Style(color="red"),
    Tone.MUTED: Style(dim=True),
    Tone.STRONG: Style(bold=True),
    Tone.ACCENT: Style(color="cyan"),
}
"""The sixteen colours that every terminal's own theme has; none of them carries meaning alone."""
COLOURLESS: Final = {tone: Style(bold=style.bold, dim=style.dim) for tone, style in STYLES.items()}
CURSOR: Final = Style(reverse=True)


def to_strip(
    spans: Line, width: int, *, has_colour: bool = True, is_under_cursor: bool = False
) -> Strip:
    """A line as Textual draws it: clipped to the width, and filled up to it."""
    clipped = clip_line(spans, width)
    styles = STYLES if has_colour else COLOURLESS
    extra = CURSOR if is_under_cursor else Style()
    segments = [Segment(span.text, styles[span.tone] + extra) for span in clipped]
    left = width - sum(width_of(span.text) for span in clipped)
    if left > 0:
        segments.append(Segment(" " * left, extra))
    return Strip(segments, width)
