from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.redaction import HIDDEN, MIN_CHARACTERS, Redactor

HIDDEN_BYTES = HIDDEN.encode()
SECRETS = st.text(alphabet="abc", min_size=MIN_CHARACTERS, max_size=8)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password is s3cret!", "password is •••"),
        ("s3cret!s3cret!", "••••••"),
        ("nothing here", "nothing here"),
        ("", ""),
    ],
)
def test_a_value_is_hidden_wherever_it_stands(text: str, shown: str) -> None:
    assert Redactor(["s3cret!"]).hide_text(text) == shown


def test_values_that_overlap_leave_nothing_of_either() -> None:
    assert Redactor(["abcdef", "defghi"]).hide_text("xabcdefghix") == "x•••x"


def test_a_value_that_contains_another_leaves_no_rest() -> None:
    assert Redactor(["pass", "password"]).hide_text("password pass") == "••• •••"


def test_each_line_of_a_value_is_a_value() -> None:
    redactor = Redactor(["-----BEGIN KEY-----\nMIIBVgIBADANBg\n  c2Vjcm V0\n"])
    assert redactor.hide_text("at MIIBVgIBADANBg, c2Vjcm V0") == "at •••, •••"


def test_a_value_is_known_as_json_and_addresses_write_it() -> None:
    redactor = Redactor(['p"w d/é'])
    for text in ('{"password": "p\\"w d/é"}', '{"password": "p\\"w d/\\u00e9"}'):
        assert redactor.hide_text(text) == '{"password": "•••"}'
    assert redactor.hide_text("postgres://me:p%22w%20d%2F%C3%A9@db") == "postgres://me:•••@db"


def test_short_values_are_left_because_every_word_has_them() -> None:
    assert Redactor(["dev", "", "\n"]).hide_text("a developer") == "a developer"
    assert not Redactor(["dev"])


def test_a_text_that_is_cut_hides_what_may_be_half_a_value() -> None:
    redactor = Redactor(["s3cret-value"])
    assert redactor.hide(b"it is s3cret-", goes_on=True) == b"it is " + HIDDEN_BYTES
    assert redactor.hide(b"value, it was", went_on=True) == HIDDEN_BYTES + b", it was"


def test_every_text_of_a_document_is_looked_at_and_no_name() -> None:
    document = {"s3cret!": ["is s3cret!", {"deep": "s3cret!"}], "count": 3, "none": None}
    assert Redactor(["s3cret!"]).hide_deep(document) == {
        "s3cret!": ["is •••", {"deep": "•••"}],
        "count": 3,
        "none": None,
    }


def test_who_uses_a_redactor_hides_what_it_learns_later() -> None:
    redactor = Redactor()
    redactor.adopt(["s3cret!"])
    assert redactor.hide_text("s3cret!") == HIDDEN


@given(st.lists(SECRETS, min_size=1, max_size=4), st.text(alphabet="abc ", max_size=60))
def test_no_value_is_left_in_any_text(secrets: list[str], text: str) -> None:
    shown = Redactor(secrets).hide_text(text)
    for secret in secrets:
        assert secret not in shown


@given(
    st.lists(SECRETS, min_size=1, max_size=4),
    st.text(alphabet="abc ", max_size=60),
    st.integers(0, 60),
)
def test_no_value_is_put_together_from_the_two_pieces_of_a_text(
    secrets: list[str], text: str, place: int
) -> None:
    redactor = Redactor(secrets)
    first = redactor.hide(text[:place].encode(), goes_on=True)
    second = redactor.hide(text[place:].encode(), went_on=True)
    for secret in secrets:
        assert secret not in (first + second).decode()
