"""From counters that only grow to figures: requests a second, errors a second, and the latency that 95 % stay under.

A program that counts starts again at nought when it starts again. A window of readings never spans that moment: until
there are two readings after it, there is no rate, rather than a negative one or a leap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RATE_SECONDS: Final = 2.0
"""Rates are over about this long, or over the last two readings where those are further apart."""
LATENCY_SECONDS: Final = 10.0
"""The same for latency, which needs more requests to say anything."""
SLACK_SECONDS: Final = 0.25
"""Readings are not taken to the millisecond: one this much older still belongs to the window."""
P95: Final = 0.95

Buckets = tuple[tuple[float, int], ...]
"""How many requests took no longer than a bound and longer than the one before it, by bound in seconds, ascending."""


class Unit(StrEnum):
    """What a request is for a kind of service; words of the status document."""

    REQUESTS = "req/s"
    OPERATIONS = "ops/s"
    TRANSACTIONS = "tx/s"
    MESSAGES = "msg/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the counters of one instance showed at one moment."""

    at: float
    """In seconds of a clock that never goes back."""
    counted: int
    """Requests, as the program counts them."""
    own: int = 0
    """How many of them were questions of ours: checks, and the reading of these counters."""
    errors: int | None = None
    """``None``: nobody counts them."""
    latency: Buckets = ()
    """Empty: nobody measures it."""

    @property
    def requests(self) -> int:
        """Those of everybody else."""
        return self.counted - self.own


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What goes through one service; ``None`` where it is not known, which is not the same as nothing."""

    unit: Unit | None = None
    """What a request is; ``None``: this kind of service is not asked."""
    requests_total: int | None = None
    errors_total: int | None = None
    requests_per_second: float | None = None
    errors_per_second: float | None = None
    latency_p95_seconds: float | None = None


NO_TRAFFIC: Final = Traffic()

Window = tuple[Reading, ...]
"""The readings of one run of one instance that are still needed, oldest first."""


class _Growth(NamedTuple):
    """By how much counters grew from one reading to a later one."""

    seconds: float
    requests: int
    errors: int | None
    latency: dict[float, int]


def extend_window(window: Window, reading: Reading) -> Window:
    """The window with one more reading, and without those that nothing needs any more.

    A counter that went back was started again: what it showed before says nothing. A program may count late what we
    asked: then it has not counted all of ``own`` yet, or the others would have taken something back.
    """
    reading = replace(reading, own=min(reading.own, reading.counted))
    if window and (reading.at <= window[-1].at or not _continues(window[-1], reading)):
        return (reading,)
    if window:
        reading = replace(reading, own=min(reading.own, reading.counted - window[-1].requests))
    oldest = reading.at - LATENCY_SECONDS - SLACK_SECONDS
    kept = tuple(each for each in window if each.at >= oldest)
    return (*(kept or window[-1:]), reading)


def measure_traffic(windows: Sequence[Window], unit: Unit | None) -> Traffic:
    """The figures of a service from the windows of its instances, summed; those without readings count for nothing."""
    newest = [window[-1] for window in windows if window]
    if not newest:
        return Traffic(unit=unit)
    recent = [growth for window in windows if (growth := _grow(window, RATE_SECONDS))]
    longer = [growth for window in windows if (growth := _grow(window, LATENCY_SECONDS))]
    failing = [growth for growth in recent if growth.errors is not None]
    errors = [reading.errors for reading in newest if reading.errors is not None]
    return Traffic(
        unit=unit,
        requests_total=sum(reading.requests for reading in newest),
        errors_total=sum(errors) if errors else None,
        requests_per_second=sum(each.requests / each.seconds for each in recent)
        if recent
        else None,
        errors_per_second=sum((each.errors or 0) / each.seconds for each in failing)
        if failing
        else None,
        latency_p95_seconds=find_quantile(P95, add_buckets(each.latency for each in longer)),
    )


def find_quantile(share: float, buckets: Buckets) -> float | None:
    """The time under which a share of all requests stayed; ``None`` when there were none.

    Within a bucket requests are taken to be spread evenly, and those above the highest finite bound to be as slow as
    that bound: the rule of `histogram_quantile` in Prometheus.
    """
    total = sum(count for _, count in buckets)
    if total <= 0:
        return None
    rank = share * total
    below, lower = 0, 0.0
    for bound, count in buckets:
        if count and below + count >= rank:
            if math.isinf(bound):
                return lower if lower > 0.0 else None
            return lower + (bound - lower) * (rank - below) / count
        below += count
        lower = bound
    return lower


def add_buckets(histograms: Iterable[Mapping[float, int]]) -> Buckets:
    """Several histograms as one; a bound that only one of them has stays a bound."""
    total: dict[float, int] = {}
    for histogram in histograms:
        for bound, count in histogram.items():
            total[bound] = total.get(bound, 0) + count
    return tuple(sorted(total.items()))


def split_cumulative(counts: Iterable[tuple[float, int]]) -> dict[float, int]:
    """How many are in each bucket, given how many are in it and all below; in any order."""
    found: dict[float, int] = {}
    below = 0
    for bound, count in sorted(counts):
        found[bound] = max(0, count - below)
        below = max(below, count)
    return found


def _continues(before: Reading, after: Reading) -> bool:
    if after.counted < before.counted or (after.errors or 0) < (before.errors or 0):
        return False
    counts = dict(after.latency)
    return all(counts.get(bound, 0) >= count for bound, count in before.latency)


def _grow(window: Window, seconds: float) -> _Growth | None:
    if len(window) < 2:  # noqa: PLR2004 - from one reading to another
        return None
    newest = window[-1]
    oldest = newest.at - seconds - SLACK_SECONDS
    first = next((each for each in window[:-1] if each.at >= oldest), window[-2])
    known = dict(first.latency)
    return _Growth(
        seconds=newest.at - first.at,
        requests=newest.requests - first.requests,
        errors=None
        if newest.errors is None or first.errors is None
        else newest.errors - first.errors,
        latency={bound: count - known.get(bound, 0) for bound, count in newest.latency},
    )
