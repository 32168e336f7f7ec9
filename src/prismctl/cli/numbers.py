"""Numbers that follow a flag, refused in one way: flag, value, and what is allowed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl.domain.service import MAX_REPLICAS

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


SECONDS: Final = NotNegative("a number of seconds", float)
LINES: Final = NotNegative("a whole number of lines", int)
SEED: Final = NotNegative("a whole number", int)
REPLICAS: Final = NotNegative("a number of instances", int, MAX_REPLICAS)
