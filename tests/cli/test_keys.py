from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.cli.keypress import split_keys

SEQUENCES = ("\x1b[A", "\x1b[1;5C", "\x1bOQ", "\x1b[15~", "\x1bk")


@pytest.mark.parametrize(
    ("sent", "keys", "rest"),
    [
        ("k", ["k"], ""),
        ("kq", ["k", "q"], ""),
        ("\x1b[A", [], ""),
        ("\x1bOQa", ["a"], ""),
        ("\x1bk", [], ""),
        ("k\x1b", ["k"], "\x1b"),
        ("\x1b[1;", [], "\x1b[1;"),
        ("\x1bO", [], "\x1bO"),
    ],
)
def test_keys_are_what_is_left_without_sequences(sent: str, keys: list[str], rest: str) -> None:
    assert split_keys(sent) == (keys, rest)


@given(st.lists(st.sampled_from(("k", "q", "\r", *SEQUENCES))), st.data())
def test_sequences_are_left_out_wherever_the_line_cuts_them(
    sent: list[str], data: st.DataObject
) -> None:
    text = "".join(sent)
    keys: list[str] = []
    rest = ""
    while text:
        size = data.draw(st.integers(1, len(text)))
        found, rest = split_keys(rest + text[:size])
        keys += found
        text = text[size:]
    assert keys == [each for each in sent if each not in SEQUENCES]
    assert rest == ""
