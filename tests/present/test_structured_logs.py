from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.present.structured_logs import describe, parse_structured, render_fields


@pytest.mark.parametrize(
    ("text", "message", "fields"),
    [
        (
            '{"level":"info","msg":"served","ms":12,"path":"/a b","ok":true}',
            "served",
            'ms=12 path="/a b" ok=true',
        ),
        (
            '{"timestamp":"2026-01-02","message":"up","deep":{"a":[1]}}',
            "up",
            'deep={"a":[1]}',
        ),
        ('{"count":1}', "", "count=1"),
        ('time=2026 level=warn msg="it is slow" ms=12', "it is slow", "ms=12"),
    ],
)
def test_the_message_comes_apart_from_the_fields(text: str, message: str, fields: str) -> None:
    parsed = parse_structured(text)
    assert parsed is not None
    assert (parsed.message, render_fields(parsed)) == (message, fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words",
        "[1, 2]",
        "{}",
        "{not json}",
        '{"cut": "off',
        "a=1",
        "a=1 and more",
        "x = 1",
    ],
)
def test_what_is_not_structured_stays_as_it_is(text: str) -> None:
    assert parse_structured(text) is None


def test_programs_get_the_level_as_a_word_and_all_fields() -> None:
    assert describe('{"level":40,"msg":"slow"}') == {
        "level": "warn",
        "fields": {"level": 40, "msg": "slow"},
    }
    assert describe("words") == {"level": None, "fields": None}


def test_deeply_nested_lines_are_no_reason_to_fail() -> None:
    assert parse_structured('{"a":' * 100_000 + "1" + "}" * 100_000) is None


@given(st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.text(), min_size=1))
def test_any_object_on_a_line_is_read_whole(fields: dict[str, Any]) -> None:
    parsed = parse_structured(json.dumps(fields))
    assert parsed is not None
    assert parsed.fields == fields
