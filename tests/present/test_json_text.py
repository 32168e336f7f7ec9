from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.json_text import render_json
from prismctl.present.text import clean


@pytest.mark.parametrize(
    "said",
    [
        "\x1b[2J",
        "\x9b2J",
        "\x9d0;a title\x9c",
        "\x7f",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "\u2028",
        "\ud800",
    ],
)
def test_json_of_a_log_line_does_not_steer_the_terminal(said: str) -> None:
    text = render_json({"text": said, said: 1})

    assert clean(text) == text
    assert json.loads(text) == {"text": said, said: 1}


def test_what_is_no_english_stays_readable() -> None:
    assert render_json({"text": "größer 大"}) == '{"text": "größer 大"}'


@given(st.text(), st.sampled_from([None, 2]))
def test_every_text_reads_back_as_what_it_was(said: str, indent: int | None) -> None:
    assert json.loads(render_json({"text": said}, indent=indent)) == {"text": said}
