"""An estimate in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import Line, Span, Tone, fold, line

if TYPE_CHECKING:
    from prismctl.domain.estimate import Estimate

_TENTHS_BELOW: Final = 10
_TITLE: Final = "  startup  "
_INDENT: Final = len(_TITLE)


def render_range(low: float, high: float) -> str:
    """A range of seconds without its unit: ``2.6-3.4``, ``11-15``; one number where both ends look the same."""
    places = 1 if round(high, 1) < _TENTHS_BELOW else 0
    ends = dict.fromkeys(f"{each:.{places}f}" for each in (low, high))
    return "-".join(ends)


def startup_words(estimate: Estimate, *, missing_images: int = 0) -> str:
    """How long a start takes, and how that is known: ``about 2.6-3.4 s (from 12 starts here)``."""
    if estimate.is_measured:
        source = f"from {count_of(estimate.starts, 'start')} here"
    elif estimate.starts:
        source = f"a guess, from its parts in {count_of(estimate.starts, 'start')} here"
    else:
        source = "a first guess: nothing of it was started here yet"
    if missing_images:
        source += f"; fetching {count_of(missing_images, 'image')} comes on top"
    return f"about {render_range(estimate.low, estimate.high)} s ({source})"


def startup_lines(words: str, *, width: int) -> list[Line]:
    """The same on a terminal, below the table of a plan."""
    title, *more = fold(words, width - _INDENT)
    rows = [line(Span(_TITLE, Tone.MUTED), title)]
    return rows + [line(" " * _INDENT, each) for each in more]
