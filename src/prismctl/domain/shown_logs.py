"""How much of what services print is held by those who only show it; all of it is in the files."""

from __future__ import annotations

from typing import Final

LONGEST_LINE: Final = 8_000
"""Characters of a line: more than anybody reads, and few enough for thousands of lines."""
MOST_CHARACTERS: Final = 1_000_000
"""Of all lines that wait or are kept in one place."""


def cut_line(text: str) -> str:
    """The text, or its beginning and how much is missing.

    >>> cut_line("short")
    'short'
    >>> cut_line("x" * 8_005)[-30:]
    'xxxxxxxxxxx… 5 characters more'
    """
    missing = len(text) - LONGEST_LINE
    return text if missing <= 0 else f"{text[:LONGEST_LINE]}… {missing} characters more"
