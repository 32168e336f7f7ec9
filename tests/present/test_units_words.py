from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.counting import count_of
from prismctl.present.units import (
    UNKNOWN,
    render_bytes,
    render_clock,
    render_duration,
    render_latency,
    render_percent,
    render_rate,
    render_seconds,
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, UNKNOWN),
        (0, "0.0 s"),
        (0.04, "0.0 s"),
        (0.34, "0.3 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m"),
        (332, "5 m 32 s"),
        (3600, "1 h"),
        (7380, "2 h 3 m"),
        (90000, "1 d 1 h"),
        (-3, "0.0 s"),
    ],
)
def test_durations_read_like_speech(seconds: float | None, expected: str) -> None:
    assert render_duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, UNKNOWN),
        (0, "0 B"),
        (999, "999 B"),
        (38_000_000, "38 MB"),
        (999_600, "1 MB"),
        (1_234_000_000, "1.2 GB"),
        (25_800_000_000, "26 GB"),
    ],
)
def test_sizes_have_units(count: int | None, expected: str) -> None:
    assert render_bytes(count) == expected


@given(st.floats(min_value=0, max_value=1e9))
def test_every_duration_is_short(seconds: float) -> None:
    assert len(render_duration(seconds)) <= 12


@given(st.integers(min_value=0, max_value=10**13))
def test_every_size_is_short(count: int) -> None:
    assert len(render_bytes(count)) <= 8


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (None, UNKNOWN),
        (0.0, "0"),
        (0.004, "0.1"),
        (0.34, "0.3"),
        (9.94, "9.9"),
        (9.96, "10"),
        (45.2, "45"),
        (12_345.6, "12 346"),
    ],
)
def test_rates_are_nought_only_where_nothing_came(rate: float | None, expected: str) -> None:
    assert render_rate(rate) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, UNKNOWN),
        (0.0, "0.00 ms"),
        (0.000004, "0.01 ms"),
        (0.00002, "0.02 ms"),
        (0.0001, "0.1 ms"),
        (0.00123, "1.2 ms"),
        (0.00996, "10 ms"),
        (0.045, "45 ms"),
        (0.9996, "1.0 s"),
        (1.34, "1.3 s"),
        (61.0, "1 m 1 s"),
    ],
)
def test_latencies_have_the_unit_that_fits(seconds: float | None, expected: str) -> None:
    assert render_latency(seconds) == expected


def test_measured_times_have_two_decimals() -> None:
    assert render_seconds(0.127) == "0.13s"
    assert render_percent(3.6) == "4 %"


def test_a_moment_that_is_not_one_has_no_time_of_day() -> None:
    assert render_clock("yesterday") == ""
    assert len(render_clock("2026-01-02T03:04:05.678Z")) == len("03:04:05")


def test_nouns_follow_their_number() -> None:
    assert count_of(1, "service") == "1 service"
    assert count_of(4, "service") == "4 services"
