from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.bundle import Bundle, BundlePart, hide_secrets, render_bundle
from prismctl.domain.redaction import HIDDEN, Redactor
from prismctl.present.bundle_page import bundle_page, read_bundle_page


def bundle_of(content: Any, problem: str = "") -> Bundle:
    part = BundlePart(name="part", title="Part", content=content, problem=problem)
    return Bundle(stack="default", made_at="2026-01-02T03:04:05.678Z", parts=(part,))


def hidden(content: Any, *values: str, user_directory: str = "") -> Any:
    return (
        hide_secrets(bundle_of(content), [Redactor(values)], user_directory=user_directory)
        .parts[0]
        .content
    )


def test_a_value_that_is_known_to_be_secret_is_in_no_part() -> None:
    shown = hidden({"log": ["login with hunter22 failed"], "env": {"X": "hunter22"}}, "hunter22")
    assert "hunter22" not in json.dumps(shown)


@pytest.mark.parametrize(
    "text",
    [
        "connecting to postgres://ana:swordfish@db:5432/app",
        "redis://:swordfish@127.0.0.1:6379",
        "Authorization: Bearer swordfish",
        "DB_PASSWORD=swordfish",
        '{"api_token": "swordfish", "level": "info"}',
        "curl http://localhost/?access_key=swordfish&x=1",
    ],
)
def test_what_looks_like_a_secret_goes_although_nobody_marked_it(text: str) -> None:
    shown = hidden([text])[0]
    assert "swordfish" not in shown
    assert HIDDEN in shown


def test_a_variable_with_a_secret_name_loses_its_value_however_short() -> None:
    assert hidden({"env": {"DB_PASSWORD": "x", "DB_USER": "x"}}) == {
        "env": {"DB_PASSWORD": HIDDEN, "DB_USER": "x"}
    }


@pytest.mark.parametrize("text", ["PASSWORD_FILE=/run/x", "http://localhost:8080/a@b"])
def test_what_is_no_secret_stays(text: str) -> None:
    assert hidden([text]) == [text]


def test_the_directory_of_the_user_has_no_name() -> None:
    assert hidden(["/home/ana/.prism/run"], user_directory="/home/ana") == ["~/.prism/run"]


def test_why_a_part_is_missing_keeps_secrets_too() -> None:
    bundle = hide_secrets(bundle_of(None, problem="hunter22 refused"), [Redactor(["hunter22"])])
    assert bundle.problems == [f"Part: {HIDDEN} refused"]


@given(
    st.text(alphabet=st.characters(categories=["L", "N"]), min_size=6, max_size=20),
    st.recursive(
        st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_no_page_holds_a_secret(secret: str, content: Any) -> None:
    planted = [content, f"before {secret} after", {"key": secret}]
    page = bundle_page(render_bundle(hide_secrets(bundle_of(planted), [Redactor([secret])])))
    if secret not in bundle_page(render_bundle(bundle_of([content]))):
        assert secret not in page


@given(st.text())
def test_a_page_gives_back_its_document(text: str) -> None:
    document = render_bundle(bundle_of([text, "</script><script>alert(1)</script>"]))
    page = bundle_page(document)
    assert read_bundle_page(page) == document
    assert page.count("<script") == 1


def test_a_page_without_a_document_is_no_bundle() -> None:
    with pytest.raises(ValueError, match="no bundle"):
        read_bundle_page("<html></html>")


def test_text_from_outside_is_text_on_the_page() -> None:
    page = bundle_page(render_bundle(bundle_of(["<img src=x onerror=alert(1)>", "\x1b[31mred"])))
    assert "<img" not in page
    assert "&lt;img" in page
    assert "\x1b" not in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("env=DB_TOKEN=swordfish", f"env=DB_TOKEN={HIDDEN}"),
        ('DB_PASSWORD="sword fish" next', f'DB_PASSWORD="{HIDDEN}" next'),
        ("DB_PASSWORD='sword \"fish' next", f"DB_PASSWORD='{HIDDEN}' next"),
        ('{"password": "sword\\"fish", "a": 1}', f'{{"password": "{HIDDEN}", "a": 1}}'),
        ("1_TOKEN=swordfish", f"1_TOKEN={HIDDEN}"),
        ("TOKEN=", "TOKEN="),
    ],
)
def test_a_value_ends_where_its_quotes_or_its_word_do(text: str, shown: str) -> None:
    assert hidden([text]) == [shown]


@pytest.mark.parametrize(
    "unit", ["Z", "://a", ":", "TOKEN=", '"token":"', "a=", "bearer ", 'TOKEN="\\', "'", "9_"]
)
def test_one_line_of_a_megabyte_kept_a_bundle_busy_for_ever(unit: str) -> None:
    # Looking at every letter again for each letter would take hours.
    for text in (unit * (1_000_000 // len(unit)), f"://{unit * (1_000_000 // len(unit))}"):
        assert hidden([text])
