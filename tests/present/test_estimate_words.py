from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.estimate import Estimate
from prismctl.present.banner import ready_banner
from prismctl.present.estimate import render_range, startup_lines, startup_words
from prismctl.present.text import line_width, plain, width_of

STATUS: dict[str, Any] = {"stack": "default", "origin": "redis", "services": []}


def estimate(low: float, high: float, *, starts: int = 12, is_measured: bool = True) -> Estimate:
    return Estimate(
        low=low,
        high=high,
        typical=(low + high) / 2,
        memory_bytes=1,
        is_measured=is_measured,
        starts=starts,
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (2.62, 3.41, "2.6-3.4"),
        (1.01, 1.04, "1.0"),
        (7.2, 9.94, "7.2-9.9"),
        (7.2, 9.96, "7-10"),
        (10.7, 15.2, "11-15"),
    ],
)
def test_a_range_has_no_more_digits_than_it_knows(low: float, high: float, words: str) -> None:
    assert render_range(low, high) == words


def test_the_words_say_how_it_is_known() -> None:
    assert startup_words(estimate(2.6, 3.4)) == "about 2.6-3.4 s (from 12 starts here)"
    guess = estimate(2.6, 3.4, starts=1, is_measured=False)
    assert startup_words(guess) == "about 2.6-3.4 s (a guess, from its parts in 1 start here)"
    first = estimate(3.6, 7.0, starts=0, is_measured=False)
    assert "a first guess" in startup_words(first)
    assert startup_words(first, missing_images=2).endswith("; fetching 2 images comes on top)")


@given(st.integers(20, 120))
def test_the_words_fit(width: int) -> None:
    words = startup_words(estimate(3.6, 7.0, starts=0, is_measured=False), missing_images=2)
    rows = startup_lines(words, width=width)
    assert all(line_width(row) <= width for row in rows)
    assert plain(rows[0]).startswith("  startup  about")


def banner(expected: Estimate | None, width: int, origin: str = "redis") -> list[str]:
    rows = ready_banner(
        {**STATUS, "origin": origin}, ready_seconds=2.94, estimate=expected, width=width
    )
    return [plain(row) for row in rows]


def test_the_banner_says_what_is_usual_once_that_is_known() -> None:
    (title,) = [row for row in banner(estimate(2.6, 3.4), 80) if "Ready in" in row]
    assert title.startswith("Stack: redis")
    assert title.endswith("Ready in: 2.9 seconds  (usually 2.6-3.4)")
    guess = estimate(2.6, 3.4, is_measured=False)
    assert banner(guess, 80) == banner(None, 80)


@given(st.integers(20, 100), st.text(max_size=60))
def test_the_banner_never_gives_up_its_time_for_what_is_usual(width: int, origin: str) -> None:
    before = [row for row in banner(None, width, origin) if "Ready in" in row]
    after = [row for row in banner(estimate(2.6, 3.4), width, origin) if "Ready in" in row]
    assert len(before) <= len(after)
    assert all(width_of(row) <= width for row in after)
