"""Numbers that follow a flag, refused in one way: flag, value, and what is allowed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl.domain.replica_limit import MAX_REPLICAS

if TYPE_CHECKING:
    from collections.abc import Callable


class NotNegative(click.ParamType[Any]):
    """A number of something, 0 or more, and where there is a bound, not more than that."""

    name = "number"

    def __init__(self, what: str, read: Callable[[str], float], most: float = math.inf) -> None:
        self.what = what
        """What there is a number of, for the refusal."""
        self.read = read
        self.most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number.

        Raises:
            click.BadParameter: it is none, or out of bounds.
        """
        try:
            number = self.read(value)
        except ValueError:
            number = -1
        # The comparison refuses what is no number at all (`nan`) as well.
        if not 0 <= number < math.inf or number > self.most:
            bounds = "0 or more" if self.most == math.inf else f"0 to {self.most}"
            self.fail(f"`{value}` is not {self.what} ({bounds})", param, ctx)
        return number


def _read_duration(text: str) -> float:
    """Seconds of ``90``, ``90s`` or ``2m``, as files say it.

    Raises:
        ValueError: it is none.
    """
    from prismctl.domain.shape import parse_duration

    seconds = parse_duration(text)
    return float(text) if seconds is None else seconds


SECONDS: Final = NotNegative("a number of seconds, nor `90s` or `2m`", _read_duration)
LINES: Final = NotNegative("a whole number of lines", int)
SEED: Final = NotNegative("a whole number", int)
REPLICAS: Final = NotNegative("a number of instances", int, MAX_REPLICAS)
