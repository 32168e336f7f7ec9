"""Which versions of a program will do: ``>=15 <18``, ``7`` (any 7.x), ``!=2.9.3``; all parts have to hold."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_PART: Final = r"(?:>=|<=|!=|==|=|>|<)?\s*\d+(?:\.\d+){0,3}"
RANGE_PATTERN: Final = rf"^\s*{_PART}(?:[\s,]+{_PART})*\s*$"
"""What a range looks like."""

_NUMBER: Final = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+){1,3}|\d+(?=\s|$|[a-z]))")
_PARTS: Final = re.compile(r"(>=|<=|!=|==|=|>|<)?\s*(\d+(?:\.\d+){0,3})")
_ORDERS: Final[dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class _Part(NamedTuple):
    sign: str
    numbers: tuple[int, ...]

    def holds(self, version: tuple[int, ...]) -> bool:
        # As far as the range says it: 15.18 is a 15, and no more than 15.
        said = (*version, 0, 0, 0)[: len(self.numbers)]
        if self.sign in _ORDERS:
            return _ORDERS[self.sign](said, self.numbers)
        return (said == self.numbers) is (self.sign != "!=")


def find_version(text: str) -> str:
    """The first version that a text names, as in ``postgres (PostgreSQL) 15.18 (Debian 15.18-0)``; empty: there is none."""
    found = _NUMBER.search(text)
    return found[1] if found else ""


def is_within(version: str, wanted: str) -> bool:
    """Whether a version is in a range; an empty range has every version in it."""
    numbers = tuple(int(number) for number in version.split("."))
    parts = (_Part(sign, _numbers(text)) for sign, text in _PARTS.findall(wanted))
    return all(part.holds(numbers) for part in parts)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))
