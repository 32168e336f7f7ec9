"""What took the time of a start before there was anything to wait for: told where that was too long."""

from __future__ import annotations

import time
from typing import Final

from prismctl.present.units import list_of

_SMALLEST_SECONDS: Final = 1.0
_LARGEST_SHARE: Final = 0.5
"""Of the time that there was: less of it is not why something was not ready."""


class LeadTime:
    """The steps from ``since`` (by ``time.monotonic()``) until the plan is handed over, and how long each took."""

    def __init__(self, since: float) -> None:
        self._marked_at = since
        self._heard: list[str] = []
        self._steps: list[tuple[float, str]] = []

    def hear(self, words: str) -> None:
        """Take note of what the step at hand said of itself: ``trying how containers run here, which …``."""
        self._heard.append(words.partition(",")[0])

    def mark(self, step: str) -> None:
        """A step is over."""
        now = time.monotonic()
        said = f" ({', '.join(self._heard)})" if self._heard else ""
        self._steps.append((now - self._marked_at, f"{step}{said}"))
        self._heard.clear()
        self._marked_at = now

    def describe(self, wait_seconds: float) -> str:
        """What took so much of the time that there was, as part of a sentence; empty: nothing did."""
        return describe_steps(self._steps, wait_seconds)


def describe_steps(steps: list[tuple[float, str]], wait_seconds: float) -> str:
    """The same for steps with their seconds: ``before anything was started went 41.2 s into the plan (…)``."""
    long = [(seconds, step) for seconds, step in steps if seconds >= _SMALLEST_SECONDS]
    if sum(seconds for seconds, _ in long) < _LARGEST_SHARE * wait_seconds:
        return ""
    words = [f"{seconds:.1f} s into {step}" for seconds, step in long]
    return f"before anything was started went {list_of(words)}" if words else ""
