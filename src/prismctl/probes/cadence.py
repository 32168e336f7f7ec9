"""How long to wait before the next question: fast while something is expected, slow once it is steady."""

from __future__ import annotations

from typing import Final

FAST_SECONDS: Final = 0.05
"""While it starts, and for the first second after it stopped answering."""
BUDGET_SECONDS: Final = 0.0008
"""What one question costs here, about: many that start at once share one core and keep half of it free."""
ALARMED_SECONDS: Final = 1.0
"""How long a service that stopped answering is asked fast."""
SLOWEST_RECOVERY_SECONDS: Final = 1.0
"""However long the configured interval, a service that does not answer is asked this often."""
GROWTH: Final = 1.5


def next_delay(
    *,
    is_ok: bool,
    interval_seconds: float,
    failing_seconds: float,
    patience_seconds: float,
    question_seconds: float,
    askers: int,
) -> float:
    """Seconds until the next question.

    ``failing_seconds`` counts from the first failure in a row; ``patience_seconds`` is how long a failure is
    followed by fast questions (the start period, or a second for one that was healthy); ``question_seconds``
    is how long the last question took, so that an expensive one never fills more than half of the time;
    ``askers`` is how many instances are asked fast at present.
    """
    if is_ok:
        return max(interval_seconds, FAST_SECONDS)
    fast = max(FAST_SECONDS, BUDGET_SECONDS * askers, question_seconds)
    if failing_seconds <= patience_seconds:
        return fast
    slowest = max(fast, min(interval_seconds, SLOWEST_RECOVERY_SECONDS))
    overdue = failing_seconds - patience_seconds
    return min(slowest, fast + overdue * (GROWTH - 1) / GROWTH)
