"""What one service needs of another before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Condition(StrEnum):
    """How far the other service has to be."""

    STARTED = "started"
    """It has begun; whether it answers does not count."""
    HEALTHY = "healthy"
    """It is healthy, or as a one-shot completed."""
    COMPLETED = "completed"
    """It has ended by itself, and well."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is waited for, and whether it can be done without."""

    condition: Condition = Condition.HEALTHY
    is_required: bool = True
    """The other service comes along, and without it this one cannot start."""

    @property
    def is_told_by_health(self) -> bool:
        """Whether the need is met exactly when the other service is good."""
        return self.is_required and self.condition is not Condition.STARTED

    @property
    def word(self) -> str:
        """A name for what is waited for: the same for needs that are met at the same moment."""
        word = "started" if self.condition is Condition.STARTED else "good"
        return word if self.is_required else f"{word}-or-failed"


PLAIN_NEED: Final = Need()
"""Of a service that is named and nothing more."""
