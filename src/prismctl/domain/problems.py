"""Collecting what is wrong with what somebody wrote, and guessing what they meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PROBLEMS: Final = 100
"""More than this many say nothing that the first hundred do not."""

MIN_PREFIX_LENGTH: Final = 3
"""A shorter beginning fits too many names to be a guess."""

MAX_HINTS: Final = 3
"""What to type next is read when it is short."""

LONGEST_GUESSED_NAME: Final = 100
"""Nobody misspells a longer one; comparing it would only cost time."""


class Place(NamedTuple):
    """Where something is written."""

    file: str = ""
    """As the user would name it; empty for a flag."""
    line: int = 0
    """Counted from 1; 0 when not known."""
    column: int = 0
    """Counted from 1; 0 when not known."""


NOWHERE: Final = Place()


class Problems:
    """Gathers problems so that all of them can be shown at once."""

    __slots__ = ("_listed", "found", "hints")

    def __init__(self) -> None:
        self.found: list[Problem] = []
        """In the order in which they were found."""
        self.hints: list[str] = []
        """Ways out of them, each once."""
        self._listed: set[str] = set()
        """What there is to choose from, as far as it was told: a list is read once."""

    def add(
        self, message: str, place: Place = NOWHERE, *, suggestion: str = "", hint: str = ""
    ) -> None:
        """Take note of one; line breaks that somebody wrote into a name or a value become blanks."""
        self.add_hint(hint)
        problem = Problem(
            message=" ".join(message.split()),
            file=place.file,
            line=place.line,
            column=place.column,
            suggestion=" ".join(suggestion.split()),
        )
        if problem not in self.found and len(self.found) < MAX_PROBLEMS:
            self.found.append(problem)

    def add_hint(self, hint: str) -> None:
        """Take note of a way out; of an empty one, nothing."""
        if hint and hint not in self.hints:
            self.hints.append(hint)

    def add_unknown(
        self,
        what: str,
        word: str,
        names: Iterable[str],
        place: Place = NOWHERE,
        *,
        subject: str = "",
    ) -> None:
        """Take note of a name that does not exist, with the nearest that does."""
        known = list(names)
        suggestion = nearest_name(word, known)
        lead = f"{subject}: " if subject else ""
        choices = "" if suggestion or not known else f"; known: {', '.join(known)}"
        if choices in self._listed:
            choices = ""
        self._listed.add(choices)
        self.add(f"{lead}unknown {what} `{shorten(word)}`{choices}", place, suggestion=suggestion)

    def raise_if_any(self, *, hint: str = "") -> None:
        """Raise all that were found, with their hints, and one more for all of them together.

        Raises:
            ConfigError: at least one was.
        """
        if self.found:
            files = {problem.file for problem in self.found}
            self.add_hint(hint)
            raise ConfigError(
                self.found,
                subject=files.pop() if len(files) == 1 else "",
                hint="\n".join(self.hints[:MAX_HINTS]),
            )


def nearest_name(word: str, names: Iterable[str]) -> str:
    """The name somebody most likely meant; empty when nothing is near.

    >>> nearest_name("contianer", ["command", "container"])
    'container'
    >>> nearest_name("--timeout", ["--without", "--wait-timeout"])
    '--wait-timeout'
    """
    wanted = word.lower()
    if not wanted or len(wanted) > LONGEST_GUESSED_NAME:
        return ""
    best, best_distance = "", 1 + max(1, len(wanted) // 3)
    for name in names:
        distance = _edit_distance(wanted, name.lower(), best_distance)
        if distance < best_distance:
            best, best_distance = name, distance
    if best_distance == 1:
        return best
    return _nearest_by_part(wanted, names) or best or _nearest_by_beginning(wanted, names)


def shorten(text: object, limit: int = 60) -> str:
    """A value as one short line for a message."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _nearest_by_part(wanted: str, names: Iterable[str]) -> str:
    """The only name of several words that has this one for a word."""
    word = wanted.lstrip("-")
    fitting = [name for name in names if word in re.split(r"[-_]", name.lower().lstrip("-"))]
    return fitting[0] if len(word) >= MIN_PREFIX_LENGTH and len(fitting) == 1 else ""


def _nearest_by_beginning(wanted: str, names: Iterable[str]) -> str:
    if len(wanted) < MIN_PREFIX_LENGTH:
        return ""
    fitting = [
        name
        for name in names
        if name.lower().startswith(wanted)
        or (len(name) > MIN_PREFIX_LENGTH and wanted.startswith(name.lower()))
    ]
    return fitting[0] if len(fitting) == 1 else ""


def _edit_distance(left: str, right: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours; ``limit`` stands for that or more."""
    if abs(len(left) - len(right)) >= limit:
        return limit
    before_previous: list[int] = []
    previous = list(range(len(right) + 1))
    for row, left_letter in enumerate(left, start=1):
        current = [row]
        for column, right_letter in enumerate(right, start=1):
            cost = min(
                previous[column] + 1,
                current[column - 1] + 1,
                previous[column - 1] + (left_letter != right_letter),
            )
            is_swap = (
                row > 1
                and column > 1
                and left_letter == right[column - 2]
                and left[row - 2] == right_letter
            )
            if is_swap:
                cost = min(cost, before_previous[column - 2] + 1)
            current.append(cost)
        before_previous, previous = previous, current
    return min(previous[-1], limit)
