from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.rates import (
    LATENCY_SECONDS,
    RATE_SECONDS,
    SLACK_SECONDS,
    Reading,
    Traffic,
    Unit,
    Window,
    add_buckets,
    extend_window,
    find_quantile,
    measure_traffic,
    split_cumulative,
)


def window_of(*readings: Reading) -> Window:
    window: Window = ()
    for reading in readings:
        window = extend_window(window, reading)
    return window


def measured(*readings: Reading) -> Traffic:
    return measure_traffic([window_of(*readings)], Unit.REQUESTS)


def at(seconds: float, counted: int, own: int = 0) -> Reading:
    return Reading(at=seconds, counted=counted, own=own)


def test_nothing_is_known_without_a_reading() -> None:
    assert measure_traffic([], Unit.MESSAGES) == Traffic(unit=Unit.MESSAGES)
    assert measure_traffic([()], None) == Traffic()


def test_one_reading_is_a_total_and_no_rate() -> None:
    traffic = measured(at(10.0, 41))
    assert traffic.requests_total == 41
    assert traffic.requests_per_second is None


def test_two_readings_are_a_rate() -> None:
    assert measured(at(10.0, 40), at(10.5, 50)).requests_per_second == 20.0


def test_a_rate_is_over_the_last_two_seconds() -> None:
    readings = [at(number / 2, 10 * number) for number in range(9)]
    stopped = [at(4.5 + number / 2, 80) for number in range(4)]
    assert measured(*readings).requests_per_second == 20.0
    # Half of the window has nothing in it any more, then all of it.
    assert measured(*readings, *stopped[:2]).requests_per_second == 10.0
    assert measured(*readings, *stopped).requests_per_second == 0.0


def test_readings_far_apart_are_a_rate_too() -> None:
    assert measured(at(0.0, 0), at(15.0, 30), at(30.0, 90)).requests_per_second == 4.0


def test_a_program_that_starts_again_has_no_rate_until_it_was_read_twice() -> None:
    before = [at(1.0, 1_000_000), at(1.5, 1_000_010)]
    again = measured(*before, at(2.0, 7))
    assert (again.requests_total, again.requests_per_second) == (7, None)
    assert measured(*before, at(2.0, 7), at(2.5, 8)).requests_per_second == 2.0


def test_a_counter_that_was_reset_a_little_makes_no_leap() -> None:
    assert measured(at(1.0, 1000), at(1.5, 999)).requests_per_second is None


def test_any_counter_that_goes_back_says_that_it_was_started_again() -> None:
    first = Reading(at=1.0, counted=5, errors=3, latency=((0.1, 5),))
    fewer_errors = Reading(at=2.0, counted=9, errors=1, latency=((0.1, 9),))
    other_buckets = Reading(at=2.0, counted=9, errors=3, latency=((0.2, 9),))
    assert window_of(first, fewer_errors) == (fewer_errors,)
    assert window_of(first, other_buckets) == (other_buckets,)


def test_our_own_questions_are_left_out() -> None:
    traffic = measured(at(1.0, 100, own=40), at(2.0, 112, own=42))
    assert (traffic.requests_total, traffic.requests_per_second) == (70, 10.0)


def test_a_server_that_counts_our_questions_late_takes_nothing_back_from_others() -> None:
    # It has not counted the two questions yet, and does so a moment later.
    late = window_of(at(1.0, 100, own=40), at(1.5, 100, own=42), at(2.0, 102, own=42))
    assert [reading.requests for reading in late] == [60, 60, 60]
    assert measure_traffic([late], Unit.TRANSACTIONS).requests_per_second == 0.0


def test_replicas_are_summed() -> None:
    windows = [
        window_of(
            Reading(at=1.0, counted=0, errors=0, latency=((0.1, 0), (0.2, 0))),
            Reading(at=2.0, counted=50, errors=1, latency=((0.1, 50), (0.2, 0))),
        ),
        window_of(
            Reading(at=1.0, counted=0, errors=0, latency=((0.1, 0), (0.2, 0))),
            Reading(at=2.0, counted=50, errors=2, latency=((0.1, 0), (0.2, 50))),
        ),
        (),
    ]
    traffic = measure_traffic(windows, Unit.REQUESTS)
    assert traffic.requests_total == 100
    assert traffic.errors_total == 3
    assert traffic.requests_per_second == 100.0
    assert traffic.errors_per_second == 3.0
    assert traffic.latency_p95_seconds == pytest.approx(0.19)


def test_errors_are_unknown_where_nobody_counts_them() -> None:
    traffic = measured(at(1.0, 1), at(2.0, 2))
    assert (traffic.errors_total, traffic.errors_per_second) == (None, None)
    assert traffic.latency_p95_seconds is None


# Prometheus' own examples of histogram_quantile, with counts a bucket instead of cumulative ones.
@pytest.mark.parametrize(
    ("share", "buckets", "wanted"),
    [
        (0.5, ((0.1, 10),), 0.05),
        (0.95, ((0.1, 0), (0.2, 100)), 0.195),
        (0.5, ((0.1, 10), (0.2, 10)), 0.1),
        (0.95, ((0.1, 10), (math.inf, 10)), 0.1),
        (0.95, ((math.inf, 10),), None),
        (0.95, ((0.1, 0), (math.inf, 0)), None),
        (0.95, (), None),
        (1.0, ((0.1, 3), (0.2, 0), (0.4, 1)), 0.4),
    ],
)
def test_a_quantile_is_found_within_its_bucket(
    share: float, buckets: tuple[tuple[float, int], ...], wanted: float | None
) -> None:
    assert find_quantile(share, buckets) == (None if wanted is None else pytest.approx(wanted))


def test_cumulative_counts_become_counts_of_buckets() -> None:
    cumulative = [(math.inf, 9), (0.1, 4), (0.2, 4)]
    assert split_cumulative(cumulative) == {0.1: 4, 0.2: 0, math.inf: 5}


def test_histograms_with_other_bounds_are_added_bound_by_bound() -> None:
    assert add_buckets([{0.1: 1, 0.3: 2}, {0.2: 4, 0.3: 1}]) == ((0.1, 1), (0.2, 4), (0.3, 3))


STEPS = st.lists(
    st.tuples(
        st.floats(0.05, 30.0),
        st.integers(0, 1000),
        st.integers(0, 3),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)
"""Seconds since the reading before, requests of others and of ours since then, and whether it was started again."""


@given(STEPS)
def test_a_rate_is_never_negative_and_never_more_than_there_was(
    steps: list[tuple[float, int, int, bool]],
) -> None:
    window: Window = ()
    now, counted, own, fastest = 0.0, 0, 0, 0.0
    for seconds, requests, questions, is_new in steps:
        now += seconds
        if is_new:
            counted, own = 0, 0
        counted += requests + questions
        own += questions
        fastest = max(fastest, requests / seconds)
        window = extend_window(window, Reading(at=now, counted=counted, own=own))
        traffic = measure_traffic([window], Unit.REQUESTS)
        rate = traffic.requests_per_second
        assert rate is None or rate >= 0.0
        # A program that has caught up with what it showed before cannot be told from one that went on.
        if not any(step[3] for step in steps):
            assert traffic.requests_total == counted - own
            assert rate is None or rate <= fastest * (1 + 1e-9)


@given(st.floats(0.05, 20.0), st.integers(0, 5000), st.integers(2, 60))
def test_a_steady_stream_has_its_rate_whatever_the_pace_of_readings(
    pause: float, requests: int, count: int
) -> None:
    readings = [at(number * pause, number * requests) for number in range(count)]
    rate = measured(*readings).requests_per_second
    assert rate == pytest.approx(requests / pause)


@given(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=200))
def test_a_window_holds_no_more_than_it_needs(pauses: list[float]) -> None:
    window = window_of(*(at(moment, 1) for moment in accumulate(pauses)))
    old = window[-1].at - max(RATE_SECONDS, LATENCY_SECONDS) - SLACK_SECONDS
    assert sum(reading.at < old for reading in window) <= 1
    assert len(window) <= len(pauses)


@given(
    st.lists(
        st.tuples(st.floats(1e-6, 100.0), st.integers(0, 10**6)),
        min_size=1,
        unique_by=lambda b: b[0],
    ),
    st.integers(0, 100),
)
def test_a_quantile_lies_within_what_was_measured(
    buckets: list[tuple[float, int]], beyond: int
) -> None:
    histogram = (*sorted(buckets), (math.inf, beyond))
    low, p95 = find_quantile(0.5, histogram), find_quantile(0.95, histogram)
    if low is None or p95 is None:
        assert not sum(count for _, count in buckets) or beyond
        return
    assert 0.0 < low <= p95 * (1 + 1e-9)
    assert p95 <= max(bound for bound, _ in buckets) * (1 + 1e-9)
