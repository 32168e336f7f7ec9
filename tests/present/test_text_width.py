from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.text import (
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    fold,
    line,
    line_width,
    pad,
    plain,
    spread,
    width_of,
)

WIDTHS = st.integers(min_value=0, max_value=120)
SPANS = st.lists(
    st.builds(Span, st.text(max_size=30).map(clean), st.sampled_from(list(Tone))), max_size=8
)


@given(st.text())
def test_cleaned_text_has_no_character_that_does_not_print(text: str) -> None:
    refused = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not any(unicodedata.category(character) in refused for character in clean(text))


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b[2Jb", "ab"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("one\ttwo", "one    two"),
        ("over\rwrite", "over\ufffdwrite"),
        ("right\u202eleft", "right\ufffdleft"),
        ("\x9b31mc1", "c1"),
        ("bell\x07", "bell\ufffd"),
    ],
)
def test_what_a_service_prints_cannot_steer_the_terminal(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


def test_colours_are_kept_on_request_and_closed() -> None:
    assert clean("\x1b[31mred", keep_colours=True) == "\x1b[31mred\x1b[0m"
    assert clean("\x1b[2J\x1b[31mred", keep_colours=True) == "\x1b[31mred\x1b[0m"


@given(st.text(), WIDTHS)
def test_clipped_text_is_never_wider_than_asked(text: str, width: int) -> None:
    assert width_of(clip(clean(text), width)) <= width


@given(st.text().map(clean), WIDTHS)
def test_text_that_fits_is_not_clipped(text: str, extra: int) -> None:
    assert clip(text, width_of(text) + extra) == text


@given(SPANS, WIDTHS)
def test_a_clipped_line_is_never_wider_than_asked(spans: list[Span], width: int) -> None:
    assert line_width(clip_line(spans, width)) <= width


@given(SPANS, SPANS, WIDTHS)
def test_two_ends_of_a_line_fit_together(left: list[Span], right: list[Span], width: int) -> None:
    assert line_width(spread(left, right, width)) <= width


@given(st.text().map(clean), WIDTHS)
def test_padding_fills_exactly(text: str, width: int) -> None:
    assert width_of(pad(text, width)) == max(width, width_of(text))


@given(st.text().map(clean), st.integers(min_value=1, max_value=60))
def test_folded_lines_fit_and_keep_the_words(text: str, width: int) -> None:
    lines = fold(text, width)
    assert all(width_of(words) <= width for words in lines)
    if all(width_of(word) <= width for word in text.split()):
        assert " ".join(lines).split() == text.split()


def test_wide_characters_count_twice() -> None:
    assert width_of("日本") == 4
    assert clip("日本語", 4) == "日…"


def test_a_line_leaves_out_what_is_empty() -> None:
    assert plain(line("a", "", Span("b", Tone.GOOD))) == "ab"
    assert len(line("a", "", Span("b", Tone.GOOD))) == 2
