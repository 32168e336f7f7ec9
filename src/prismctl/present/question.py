"""A question that one key answers: the line that says which keys there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.present.text import Line, Span, Tone, clean, line, line_width

if TYPE_CHECKING:
    from collections.abc import Iterable

_INDENT: Final = "  "
_GAP: Final = "      "
_ENTER: Final = " (Enter)"


class Choice(NamedTuple):
    """One answer."""

    key: str
    """A small letter."""
    words: str
    """What it does."""


def choice_lines(choices: Iterable[Choice], *, declining: str = "", width: int) -> list[Line]:
    """The answers side by side, or one below the other where they do not fit in ``width`` cells.

    The one whose key is ``declining`` says that Enter gives it as well.
    """
    each = [
        line(
            _INDENT,
            Span(choice.key, Tone.STRONG),
            f"  {clean(choice.words)}{_ENTER if choice.key == declining else ''}",
        )
        for choice in choices
    ]
    row: list[Span] = []
    for index, spans in enumerate(each):
        row += spans if index == 0 else [Span(_GAP), *spans[1:]]
    return [tuple(row)] if line_width(row) < width else each
