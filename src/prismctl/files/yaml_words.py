"""Says in words what a YAML parser stumbled over: what stands where, and what was most likely meant.

A parser tells what it expected of its grammar; whoever wrote the file knows none. So the lines around are looked at
for what people do wrong: a colon or the blank behind it, a quote or a bracket that is not closed, indentation, a sign
that means something to YAML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.problems import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prismctl.domain.document import Position

_KEY_WITHOUT_BLANK: Final = re.compile(r"(?:- +)*([\w.-]+):(?!//)([^\s:].*)")
_COLON: Final = re.compile(r":(?=\s|$)")
_MARKS: Final = re.compile(r"(?:- +)*")
_CLOSING: Final = {"[": "]", "{": "}"}
_LONGEST_SHOWN: Final = 40


class Trouble(NamedTuple):
    """What the parser says, and the text that it read."""

    problem: str
    """In the parser's words."""
    place: Position
    """Where it gave up, counted from 1."""
    start: Position | None
    """Where what it was reading began."""
    lines: Sequence[str]

    def line(self, number: int) -> str:
        """A line of the text, counted from 1; empty behind the last one."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    @property
    def here(self) -> str:
        """The line in which the parser gave up."""
        return self.line(self.place[0])

    @property
    def rest(self) -> str:
        """What stands from there on."""
        return self.here[self.place[1] - 1 :].strip()

    @property
    def is_at_start(self) -> bool:
        """Whether nothing but blanks and dashes stands before."""
        return not _MARKS.sub("", self.here[: self.place[1] - 1].strip() + " ").strip()

    @property
    def number_above(self) -> int:
        """The number of the last line above in which something is written; 0 where there is none."""
        numbers = range(self.place[0] - 1, 0, -1)
        return next((each for each in numbers if _text_of(self.line(each))), 0)


class Correction(NamedTuple):
    """What is wrong with a file, and how it is put right, for whoever wrote it."""

    message: str
    hint: str
    """What to write instead."""
    place: Position
    """Where it is to be corrected."""


def explain(trouble: Trouble) -> Correction:
    """What is wrong with a text that a YAML parser does not read."""
    for look in _LOOKS:
        found = look(trouble)
        if found is not None:
            return found
    shown = f"`{_shown(trouble.rest)}`" if trouble.rest else "the end of the file"
    return Correction(
        f"is no YAML: {shown} does not fit what stands before it",
        "look at colons, quotes and indentation of this line and the one above",
        trouble.place,
    )


def _find_tab(trouble: Trouble) -> Correction | None:
    indentation = trouble.here[: len(trouble.here) - len(trouble.here.lstrip())]
    if "\t" not in indentation and "'\\t'" not in trouble.problem:
        return None
    return Correction(
        "a tab indents this line; YAML wants spaces",
        "replace it by spaces, two for each step",
        trouble.place,
    )


def _find_open_quote(trouble: Trouble) -> Correction | None:
    if trouble.start is None or "end of stream" not in trouble.problem:
        return None
    line, column = trouble.start
    quote = trouble.line(line)[column - 1 : column]
    if quote not in {'"', "'"}:
        return None
    return Correction(
        f"the quote {quote} that is opened here is never closed",
        f"put {quote} behind the end of the text",
        trouble.start,
    )


def _find_escape(trouble: Trouble) -> Correction | None:
    if "escape" not in trouble.problem:
        return None
    sign = f"\\{trouble.rest[:1]}"
    return Correction(
        f"`{sign}` means nothing in double quotes",
        f"write `\\{sign}`, or put the text in single quotes",
        trouble.place,
    )


def _find_missing_colon(trouble: Trouble) -> Correction | None:
    if "could not find expected ':'" not in trouble.problem or trouble.start is None:
        return None
    return _explain_line_without_colon(trouble, trouble.start[0])


def _find_unwanted_colon(trouble: Trouble) -> Correction | None:
    """A colon where no key can be: the line is deeper than it should be, or an earlier colon is to blame."""
    if "mapping values are not allowed" not in trouble.problem:
        return None
    first = _COLON.search(trouble.here)
    if first is not None and first.start() + 1 < trouble.place[1]:
        value = trouble.here[first.end() :].strip()
        return Correction(
            "a second colon with a blank behind it stands in this line",
            f'put the value in quotes: "{_shown(value)}"',
            trouble.place,
        )
    above = trouble.number_above
    text = _text_of(trouble.line(above))
    if _KEY_WITHOUT_BLANK.fullmatch(text) or (text and not _COLON.search(text)):
        return _explain_line_without_colon(trouble, above)
    return _explain_indentation(trouble, "is indented deeper than the line that it follows")


def _find_open_bracket(trouble: Trouble) -> Correction | None:
    if not trouble.problem.startswith("expected ','") or trouble.start is None:
        return None
    line, column = trouble.start
    opening = trouble.line(line)[column - 1 : column]
    if opening not in _CLOSING:
        return None
    closing = _CLOSING[opening]
    if trouble.rest.startswith("{") and trouble.here[: trouble.place[1] - 1].endswith("$"):
        return Correction(
            "`${` in brackets is taken for a bracket of its own",
            'put the reference in quotes: "${…}"',
            (trouble.place[0], trouble.place[1] - 1),
        )
    if line != trouble.place[0] or not trouble.rest:
        return Correction(
            f"the bracket {opening} that is opened here is not closed",
            f"put {closing} behind the last item",
            trouble.start,
        )
    return Correction(
        f"`{_shown(trouble.rest)}` follows an item without a comma",
        f"separate items by `, `, and close with {closing}",
        trouble.place,
    )


def _find_stray_bracket(trouble: Trouble) -> Correction | None:
    sign = trouble.rest[:1]
    if sign not in {"]", "}", ","} or not trouble.problem.startswith("expected"):
        return None
    if sign == ",":
        message, hint = "a comma stands where an item belongs", "take it away, or write the item"
    else:
        message = f"`{sign}` closes nothing that was opened"
        hint = "take it away, or put the value in quotes"
    return Correction(message, hint, trouble.place)


def _find_sign(trouble: Trouble) -> Correction | None:
    """A value that begins with what means something to YAML."""
    is_start = "cannot start any token" in trouble.problem
    is_within = trouble.problem.startswith(
        ("expected alphabetic", "expected URI", "expected chomping")
    )
    if not is_start and not is_within:
        return None
    place = trouble.place if is_start or trouble.start is None else trouble.start
    value = trouble.line(place[0])[place[1] - 1 :].strip()
    sign = value[:1] if value.startswith("`") else f"`{value[:1]}`"
    return Correction(
        f"a value that begins with {sign} means something else to YAML",
        f'put it in quotes: "{_shown(value)}"',
        place,
    )


def _find_indentation(trouble: Trouble) -> Correction | None:
    if not trouble.problem.startswith(("expected <block end>", "expected '<document start>'")):
        return None
    above = trouble.number_above
    if trouble.is_at_start and _KEY_WITHOUT_BLANK.fullmatch(_text_of(trouble.line(above))):
        return _explain_line_without_colon(trouble, above)
    if trouble.is_at_start:
        return _explain_indentation(trouble, "belongs to nothing above it")
    return Correction(
        f"`{_shown(trouble.rest)}` stands behind a value that is complete",
        "put the whole value in quotes, or what follows in a line of its own",
        trouble.place,
    )


_LOOKS: Final[tuple[Callable[[Trouble], Correction | None], ...]] = (
    _find_tab,
    _find_open_quote,
    _find_escape,
    _find_missing_colon,
    _find_unwanted_colon,
    _find_open_bracket,
    _find_stray_bracket,
    _find_sign,
    _find_indentation,
)


def _explain_line_without_colon(trouble: Trouble, number: int) -> Correction:
    line = trouble.line(number)
    text = _text_of(line)
    place = (number, len(line) - len(line.lstrip()) + 1)
    dashes = _MARKS.match(text)
    words = text[dashes.end() :] if dashes else text
    match = _KEY_WITHOUT_BLANK.fullmatch(text)
    if match:
        return Correction(
            f"`{_shown(words)}` has no blank behind its colon",
            f"write `{_shown(f'{match[1]}: {match[2]}')}`",
            place,
        )
    key, _, value = words.partition(" ")
    return Correction(
        f"`{_shown(words)}` has no colon behind its key",
        f"write `{_shown(f'{key}: {value.strip()}'.strip())}`",
        place,
    )


def _explain_indentation(trouble: Trouble, what: str) -> Correction:
    line = trouble.here
    column = len(line) - len(line.lstrip()) + 1
    above = trouble.number_above
    text = trouble.line(above)
    indentation = len(text) - len(text.lstrip())
    marks = _MARKS.match(text.lstrip())
    start = indentation + (marks.end() if marks else 0)
    word = re.split(r"[:\s]", text[start:], maxsplit=1)[0]
    example = f": `{_shown(word)}` of line {above} in column {start + 1}" if word else ""
    return Correction(
        f"this line begins in column {column} and {what}",
        f"lines that belong together begin in one column{example}",
        (trouble.place[0], column),
    )


def _text_of(line: str) -> str:
    """What is written in a line, without its comment."""
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _shown(text: str) -> str:
    return shorten(_text_of(text) or text, _LONGEST_SHOWN)
