"""What must not be read by others, found and blotted out in text on its way to somebody's eyes.

Log files keep what was printed, as whoever looks for a mistake in a service needs it; they are 0600 in a home that
is 0700, beside the plan, which has the same values. Everything that is made from them passes through here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.plan import StackPlan

HIDDEN: Final = "•••"
"""Stands where a secret stood."""
MIN_CHARACTERS: Final = 4
"""Shorter values are not looked for: they are in every second word, and who hides `dev` hides nothing."""

_HIDDEN_BYTES: Final = HIDDEN.encode()


class Redactor:
    """Blots out values, also as JSON and addresses write them; of a value of several lines, each line is one."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._needles: tuple[bytes, ...] = ()
        self.adopt(values)

    def adopt(self, values: Iterable[str]) -> None:
        """Hide these from now on, and nothing else; whoever uses this one already does so, too."""
        found = {form for value in values for form in _forms_of(value)}
        # A value inside another one is covered by it; finding the longest first tells most with one look.
        self._needles = tuple(sorted(found, key=lambda needle: (-len(needle), needle)))

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._needles)

    def finds(self, text: bytes) -> bool:
        """Whether something has to be hidden; cheap enough for every block of a flood."""
        return any(needle in text for needle in self._needles)

    def hide(self, text: bytes, *, goes_on: bool = False, went_on: bool = False) -> bytes:
        """The text without the values; where they overlap, all of them are one.

        Args:
            text: where to look.
            goes_on: it is cut at its end: what could be the beginning of a value there is hidden, too.
            went_on: it is cut at its beginning: what could be the end of a value there is hidden, too.
        """
        spots = self._find_spots(text)
        if goes_on:
            spots += self._find_cut_values(text, is_at_end=True)
        if went_on:
            spots += self._find_cut_values(text, is_at_end=False)
        spots = merge_spots(spots)
        if not spots:
            return text
        pieces: list[bytes] = []
        position = 0
        for start, end in spots:
            pieces += (text[position:start], _HIDDEN_BYTES)
            position = end
        return b"".join((*pieces, text[position:]))

    def hide_text(self, text: str) -> str:
        """The same for text."""
        if not self._needles or not text:
            return text
        data = text.encode("utf-8", "surrogateescape")
        return self.hide(data).decode("utf-8", "surrogateescape") if self.finds(data) else text

    def hide_deep(self, value: Any) -> Any:
        """The same for every text in a JSON value; names of keys stay."""
        if not self._needles:
            return value
        if isinstance(value, str):
            return self.hide_text(value)
        if isinstance(value, dict):
            return {key: self.hide_deep(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_deep(part) for part in value]
        return value

    def _find_spots(self, text: bytes) -> list[tuple[int, int]]:
        spots = []
        for needle in self._needles:
            start = text.find(needle)
            while start >= 0:
                spots.append((start, start + len(needle)))
                start = text.find(needle, start + 1)
        return spots

    def _find_cut_values(self, text: bytes, *, is_at_end: bool) -> list[tuple[int, int]]:
        spots = []
        for needle in self._needles:
            for count in range(min(len(needle) - 1, len(text)), 0, -1):
                if is_at_end and text.endswith(needle[:count]):
                    spots.append((len(text) - count, len(text)))
                    break
                if not is_at_end and text.startswith(needle[-count:]):
                    spots.append((0, count))
                    break
        return spots


NOTHING_HIDDEN: Final = Redactor()
"""For what is shown to nobody."""


def merge_spots(spots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches of a text in order, those that overlap as one.

    >>> merge_spots([(4, 6), (0, 3), (2, 4), (8, 9)])
    [(0, 4), (4, 6), (8, 9)]
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spots):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def find_secrets(plan: StackPlan) -> frozenset[str]:
    """The values of a plan that appear nowhere: what the catalog marks, and the passwords that were made."""
    marked = {
        service.env[name]
        for service in plan.services
        for name in service.secrets & service.env.keys()
    }
    asked = {service.check.password for service in plan.services if service.check is not None}
    return frozenset((marked | asked) - {""})


def find_passwords(passwords: Mapping[str, str]) -> frozenset[str]:
    """The values among the passwords of a stack."""
    return frozenset(passwords.values()) - {""}


def _forms_of(value: str) -> Iterable[bytes]:
    from urllib.parse import quote

    for line in value.splitlines():
        text = line.strip()
        if len(text) < MIN_CHARACTERS:
            continue
        for form in (
            text,
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            quote(text, ""),
        ):
            yield form.encode("utf-8", "surrogateescape")
