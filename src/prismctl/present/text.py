"""Lines made of spans, and what may be in them: widths that hold, no control characters from outside.

Whatever a service printed or a file named passes through `clean` before it reaches a terminal, so that it can
neither move the cursor nor pretend to be something else.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ELLIPSIS: Final = "…"
TAB: Final = "    "

_ESCAPE_SEQUENCE: Final = re.compile(
    r"""
    \x1b\[ [0-?]* [ -/]* [@-~]            # CSI: colours, cursor movement
    | (?: \x1b[\]PX^_] | [\x9d\x90\x98\x9e\x9f] ) .*? (?: \x07 | \x1b\\ | \x9c | $ )  # OSC and other strings
    | \x9b [0-?]* [ -/]* [@-~]            # CSI in one character
    | \x1b [ -/]* [0-~]                   # other two-character sequences
    """,
    re.VERBOSE | re.DOTALL,
)
_COLOUR: Final = re.compile(r"\x1b\[([0-9;:]*)m")
_EXTENDED_COLOURS: Final = frozenset({"38", "48", "58"})
_OF_PALETTE: Final = "5"
_HIDING: Final = frozenset({"5", "6", "8"})
"""SGR blinking, fast blinking, concealed."""
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ZERO_WIDTH: Final = frozenset({"Mn", "Me"})


class Tone(StrEnum):
    """What a span means; each front end has one look for each, and none of them carries meaning alone."""

    PLAIN = "plain"
    GOOD = "good"
    BUSY = "busy"
    BAD = "bad"
    MUTED = "muted"
    STRONG = "strong"
    ACCENT = "accent"


class Span(NamedTuple):
    """Text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line from words and spans, empty ones left out."""
    spans = (part if isinstance(part, Span) else Span(part) for part in parts)
    return tuple(span for span in spans if span.text)


def plain(spans: Iterable[Span]) -> str:
    """The words of a line without its tones."""
    return "".join(span.text for span in spans)


def clean(text: str, *, keep_colours: bool = False) -> str:
    """Text from outside in a form that a terminal shows as text and as one line.

    Escape sequences are dropped (colours only unless asked to keep them), tabs and odd spaces become
    spaces, and every other character that does not print becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    if keep_colours and "\x1b" in text:
        return _clean_around_colours(text)
    return _ESCAPE_SEQUENCE.sub("", text).replace("\t", TAB).translate(_PRINTABLE)


def _clean_around_colours(text: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in _COLOUR.finditer(text):
        pieces.append(clean(text[position : match.start()]))
        if not _hides_text(match[1]):
            pieces.append(match[0])
        position = match.end()
    pieces.append(clean(text[position:]))
    joined = "".join(pieces)
    return f"{joined}\x1b[0m" if _COLOUR.search(joined) else joined


def _hides_text(parameters: str) -> bool:
    """Whether a colour sequence conceals what follows, or makes it blink."""
    numbers = iter(parameters.replace(":", ";").split(";"))
    for number in numbers:
        if number in _EXTENDED_COLOURS:
            # Numbers of a palette or parts of a colour follow; they mean something else.
            for _ in range(1 if next(numbers, "") == _OF_PALETTE else 3):
                next(numbers, "")
        elif number.lstrip("0") in _HIDING:
            return True
    return False


class _PrintableCharacters(dict[int, str]):
    """What stands for each character; looked up once for each that occurs."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category in _UNPRINTABLE:
            character = "\ufffd"
        elif category == "Zs":
            character = " "
        self[code] = character
        return character


_PRINTABLE: Final = _PrintableCharacters()


def width_of(text: str) -> int:
    """How many terminal cells a printable text takes."""
    if text.isascii():
        return len(text)
    return _remembered_width(text) if len(text) <= _SHORT else sum(map(_cells, text))


_SHORT: Final = 250
"""Characters of a line; what has more is not seen twice."""


@lru_cache(maxsize=2048)
def _remembered_width(text: str) -> int:
    """Rules, signs and titles come back with every frame."""
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


UNBOUNDED: Final = 1_000_000
"""The width of what nobody looks at: a program reads whole lines, and nothing is cut or folded for it."""
_UNBOUNDED_GAP: Final = 3


def clip(text: str, width: int) -> str:
    """The text in at most ``width`` cells, with an ellipsis where something is missing."""
    if width_of(text) <= width:
        return text
    if width <= 0:
        return ""
    kept: list[str] = []
    used = 0
    for character in text:
        cells = _cells(character)
        if used + cells > width - 1:
            break
        kept.append(character)
        used += cells
    return "".join(kept).rstrip() + ELLIPSIS


def pad(text: str, width: int) -> str:
    """The text in exactly ``width`` cells, filled up on the right; longer text stays as it is."""
    return text + " " * max(0, width - width_of(text))


def pad_left(text: str, width: int) -> str:
    """The text in exactly ``width`` cells, filled up on the left; longer text stays as it is."""
    return " " * max(0, width - width_of(text)) + text


def line_width(spans: Iterable[Span]) -> int:
    """How many cells a line takes."""
    return sum(width_of(span.text) for span in spans)


def clip_line(spans: Sequence[Span], width: int) -> Line:
    """The line in at most ``width`` cells."""
    if line_width(spans) <= width:
        return tuple(spans)
    kept: list[Span] = []
    left = width
    for index, span in enumerate(spans):
        cells = width_of(span.text)
        follows = index + 1 < len(spans)
        if cells > left or (follows and cells == left):
            clipped = clip(span.text + (ELLIPSIS if cells <= left else ""), left)
            if clipped:
                kept.append(Span(clipped, span.tone))
            break
        kept.append(span)
        left -= cells
    return tuple(kept)


def spread(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Two parts at the two ends of a line; the right one is left out where there is no room for both."""
    if width >= UNBOUNDED:
        return (*left, Span(" " * _UNBOUNDED_GAP), *right) if right else tuple(left)
    gap = width - line_width(left) - line_width(right)
    minimum_gap = 2
    if not right or gap < minimum_gap:
        return clip_line(left, width)
    return (*left, Span(" " * gap), *right)


def fold(text: str, width: int) -> list[str]:
    """Words in lines of at most ``width`` cells; a longer word is clipped."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        candidate = f"{current} {word}" if current else word
        if width_of(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        current = clip(word, width)
    if current:
        lines.append(current)
    return lines


def wrap_text(text: str, width: int, *, most_lines: int) -> list[str]:
    """The text in lines of at most ``width`` cells, at spaces where there are any; what is beyond the last line is clipped."""
    lines: list[str] = []
    rest = text.strip()
    while width_of(rest) > width and len(lines) < most_lines - 1:
        head = _fitting(rest, width)
        space = head.rfind(" ") if rest[len(head)] != " " else len(head)
        # A word that would leave most of a line empty is broken instead.
        taken = head[:space] if space * 3 > len(head) else head
        lines.append(taken.rstrip())
        rest = rest[len(taken) :].lstrip()
    return [*lines, clip(rest, width)] if rest or not lines else lines


def _fitting(text: str, width: int) -> str:
    """As much of the beginning as fits, at least one character."""
    used = 0
    for index, character in enumerate(text):
        used += _cells(character)
        if used > width and index:
            return text[:index]
    return text
