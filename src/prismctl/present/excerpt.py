"""The few lines of a service's output that are worth showing when it failed: where it went wrong, and the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.present.log_levels import Level, level_of

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_LINES: Final = 80
"""How many of its last lines are looked through."""
MOST_LINES: Final = 20
"""How many lines are shown where there is room for them."""
FEWEST_LINES: Final = 8
"""How many are worth showing where there is hardly any."""
_BEFORE: Final = 1
_LAST: Final = 2
"""How many lines of its end are shown where it went wrong earlier."""
_APART: Final = 15
"""Errors this many lines apart have nothing to do with each other; after so many lines of a level, work had gone on."""

_TROUBLE: Final = re.compile(
    r"\b(?:error|exception|fatal|panic|cannot|can't|could not|failed|unable to|refused|denied|no such file|not found)\b"
    r"|^Traceback\b|\w(?:Error|Exception)\b",
    re.IGNORECASE,
)


class Excerpt(NamedTuple):
    """Some of the lines that a service printed."""

    indexes: tuple[int, ...]
    """Of the lines that are shown; a gap between two is one in the output."""
    error: int | None
    """Of the first line that tells what went wrong; ``None``: none looks like it."""


def choose_excerpt(texts: Sequence[str], most_lines: int = MOST_LINES) -> Excerpt:
    """What to show of the last lines of a service that failed; at least `FEWEST_LINES`, if it said so much."""
    most_lines = max(FEWEST_LINES, most_lines)
    error = _find_error(texts)
    total = len(texts)
    first_shown = max(0, total - most_lines)
    if error is None or error >= first_shown + _BEFORE or not first_shown:
        return Excerpt(tuple(range(first_shown, total)), error)
    begin = max(0, error - _BEFORE)
    around = range(begin, begin + most_lines - _LAST)
    return Excerpt((*around, *range(max(around.stop, total - _LAST), total)), error)


def _find_error(texts: Sequence[str]) -> int | None:
    """The first line of the last trouble there was."""
    found: int | None = None
    calm = 0
    for index in reversed(range(len(texts))):
        is_over = calm > _APART if found is None else found - index > _APART
        if is_over:
            break
        if _is_trouble(texts[index]):
            found = index
        elif level_of(texts[index]) is not None:
            calm += 1
    return found


def _is_trouble(text: str) -> bool:
    level = level_of(text)
    if level is not None:
        return level >= Level.ERROR
    return _TROUBLE.search(text) is not None
