"""What follows when a process ended by itself: start it again, when, or give up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.keeper.protocol import RestartPolicy


def count_failures(policy: RestartPolicy, *, failures: int, run_seconds: float) -> int:
    """How many runs in a row have now ended, the one of ``run_seconds`` included."""
    return 1 if run_seconds >= policy.reset_after_seconds else failures + 1


def restart_delay_seconds(policy: RestartPolicy, *, failures: int) -> float | None:
    """How long to wait after the ``failures``-th end in a row; ``None``: not started again."""
    if failures > policy.max_restarts:
        return None
    if failures <= 1:
        return 0.0
    # The exponent is bounded so that a large count cannot overflow a float.
    delay = policy.initial_delay_seconds * 2.0 ** min(failures - 2, 60)
    return min(delay, policy.max_delay_seconds)
