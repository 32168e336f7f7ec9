"""A question that one key answers: the line that says which keys there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.present.text import Line, Span, Tone, clean, line, line_width, wrap_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INDENT: Final = "  "
_BESIDE: Final = "  "
"""Between a key and what it does."""
_LEAST_WIDTH: Final = 12
_MOST_LINES: Final = 20
_GAP: Final = "      "
_ENTER: Final = " (Enter)"


class Choice(NamedTuple):
    """One answer."""

    key: str
    """A small letter."""
    words: str
    """What it does."""


def choice_lines(choices: Iterable[Choice], *, declining: str = "", width: int) -> list[Line]:
    """The answers side by side, or one below the other where they do not fit in ``width`` cells, folded where one of them does not.

    The one whose key is ``declining`` says that Enter gives it as well.
    """
    answers = [(key, clean(words) + (_ENTER if key == declining else "")) for key, words in choices]
    row: list[Span] = []
    for index, (key, words) in enumerate(answers):
        row += _answer(key, words, _GAP if index else _INDENT)
    if line_width(row) < width:
        return [tuple(row)]
    return [each for key, words in answers for each in _folded_answer(key, words, width)]


def _answer(key: str, words: str, before: str) -> Line:
    return line(before, Span(key, Tone.STRONG), f"{_BESIDE}{words}")


def _folded_answer(key: str, words: str, width: int) -> Iterator[Line]:
    indent = len(_INDENT) + len(key) + len(_BESIDE)
    first, *rest = wrap_text(words, max(_LEAST_WIDTH, width - indent), most_lines=_MOST_LINES)
    yield _answer(key, first, _INDENT)
    yield from (line(" " * indent, each) for each in rest)
