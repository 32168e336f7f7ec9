"""Changing values in a file that somebody wrote: what comes out means what was wanted, and nothing else moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismctl.errors import ConfigError
from prismctl.files.yaml import parse_document
from prismctl.files.yaml_change import change_values, is_same, render_values

FILE = Path("mine.yaml")

WRITTEN = """\
# of the team
name: mine   # its name
services:
  # core
  - prism-admin
  - redis   # fast
  - nats

# about config
config:
  redis:
    memory_mb: 0x200 # enough
    env: {A: 1.10}
  nats: {jetstream: true}
"""


def read(text: str) -> Any:
    return parse_document(text, FILE).tree


def test_what_stays_keeps_its_lines_and_comments_and_the_rest_is_where_it_belongs() -> None:
    wanted = {
        "name": "mine",
        "description": "what we all use",
        "services": ["prism-admin", "nats", "kafka"],
        "persist": True,
        "config": {
            "redis": {"memory_mb": 256, "env": {"A": 1.1}},
            "kafka": {"partitions": 2},
        },
    }
    assert change_values(WRITTEN, wanted, FILE) == (
        "# of the team\n"
        "name: mine   # its name\n"
        "description: what we all use\n"
        "services:\n"
        "  # core\n"
        "  - prism-admin\n"
        "  - nats\n"
        "  - kafka\n"
        "persist: true\n"
        "\n"
        "# about config\n"
        "config:\n"
        "  redis:\n"
        "    memory_mb: 256 # enough\n"
        "    env: {A: 1.10}\n"
        "  kafka:\n"
        "    partitions: 2\n"
    )


def test_the_same_values_change_nothing_but_a_missing_last_newline() -> None:
    assert change_values(WRITTEN, read(WRITTEN), FILE) == WRITTEN
    assert change_values("a: 0x1F", {"a": 31}, FILE) == "a: 0x1F\n"


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (["a"], "[a]"),
        (["b"], "[b]"),
        (["c"], "[c]"),
        (["a", "c"], "[a, c]"),
        (["b", "d"], "[b, d]"),
        (["a", "b", "c", "d", "e f"], '[a, b,  c, d, "e f"]'),
        (["x", "a"], "[x, a]"),
        ([], "[]"),
    ],
)
def test_a_list_in_brackets_stays_in_its_line(wanted: list[str], line: str) -> None:
    changed = change_values("s: [a, b,  c]  # mine\nz: 1\n", {"s": wanted, "z": 1}, FILE)
    assert changed == f"s: {line}  # mine\nz: 1\n"


def test_a_key_without_a_value_gets_one_behind_or_below_it() -> None:
    text = "a:  # first\nb:  # second\n"
    changed = change_values(text, {"a": "x", "b": ["z"]}, FILE)
    assert changed == "a: x  # first\nb:  # second\n  - z\n"


def test_line_ends_of_windows_stay() -> None:
    changed = change_values("a: 1\r\nb:\r\n  - x\r\n", {"a": 1, "b": ["x", "z"], "c": 2}, FILE)
    assert changed == "a: 1\r\nb:\r\n  - x\r\n  - z\r\nc: 2\r\n"


def test_a_text_in_lines_of_its_own_is_replaced_whole() -> None:
    text = "a: |\n  one\n  two\n\n# then\nb: 1\n"
    assert change_values(text, {"a": "x", "b": 1}, FILE) == "a: x\n\n# then\nb: 1\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"services": ["a"]}\n', ["b"]),
        ("x-base: &base [a]\nservices: *base\n", ["a"]),
    ],
    ids=["all in braces", "an alias of what goes"],
)
def test_what_cannot_be_followed_is_refused(text: str, wanted: list[str]) -> None:
    with pytest.raises(ConfigError, match="cannot be made in; nothing was written") as raised:
        change_values(text, {"services": wanted}, FILE)
    assert raised.value.hint == "edit mine.yaml by hand"


LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True) | st.sampled_from(
    ["true", "no", "null", "42", "1e3", "~", "0x1f"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | LETTERS
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
TREES = st.dictionaries(WORDS, VALUES, min_size=1, max_size=5)


@settings(deadline=None)
@given(TREES)
def test_what_is_rendered_reads_back(tree: dict[str, Any]) -> None:
    assert is_same(read(render_values(tree)), tree)


@settings(deadline=None)
@given(TREES, TREES, st.data())
def test_any_change_ends_in_what_was_wanted(
    before: dict[str, Any], after: dict[str, Any], data: st.DataObject
) -> None:
    shared = data.draw(st.lists(st.sampled_from(sorted(before)), unique=True))
    wanted = {**{key: before[key] for key in shared}, **after}
    assert is_same(read(change_values(render_values(before), wanted, FILE)), wanted)


@settings(deadline=None)
@given(
    st.lists(WORDS, unique=True, min_size=1),
    st.lists(WORDS, unique=True),
    st.sampled_from(["lines", "brackets"]),
)
def test_every_comment_of_an_item_that_stays_stays(
    before: list[str], after: list[str], form: str
) -> None:
    text = render_values({"s": before})
    if form == "brackets":
        text = f"s: [{', '.join(line.strip()[2:] for line in text.splitlines()[1:])}]\n"
    lines = [f"{line}  # {number}" for number, line in enumerate(text.splitlines())]
    kept = [word for word in before if word in after]
    wanted = [*kept, *(word for word in after if word not in kept)]
    changed = change_values("# top\n" + "\n".join(lines) + "\n# end\n", {"s": wanted}, FILE)
    assert changed.startswith("# top\n")
    assert changed.endswith("# end\n")
    assert read(changed) == {"s": wanted}
    if form == "lines" and kept:
        for number, word in enumerate(before, start=1):
            assert (f"# {number}\n" in changed) == (word in kept)
