"""Mistakes in YAML in words of ours: what stands where, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from prismctl.errors import ConfigError
from prismctl.files.yaml import parse_document

COLUMN_5 = "lines that belong together begin in one column: `name` of line 2 in column 5"


def error_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, Path("/x/f.yaml"))
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        (
            "services:\n  - name: a\n      command: x\n",
            (3, 7),
            "this line begins in column 7 and is indented deeper than the line that it follows",
            COLUMN_5,
        ),
        (
            "services:\n  - name: a\n   command: x\n",
            (3, 4),
            "this line begins in column 4 and belongs to nothing above it",
            COLUMN_5,
        ),
        (
            "services:\n  - name: a\n  core: true\n",
            (3, 3),
            "this line begins in column 3 and belongs to nothing above it",
            COLUMN_5,
        ),
        (
            "services:\n  - name: a\n\tcommand: x\n",
            (3, 1),
            "a tab indents this line; YAML wants spaces",
            "replace it by spaces, two for each step",
        ),
        (
            "services:\n  - name: a\n    command x\n    port: 1\n",
            (3, 5),
            "`command x` has no colon behind its key",
            "write `command: x`",
        ),
        (
            "services\n  - name: a\n",
            (1, 1),
            "`services` has no colon behind its key",
            "write `services:`",
        ),
        (
            "services:\n  - name:a   # mine\n    command: x\n",
            (2, 3),
            "`name:a` has no blank behind its colon",
            "write `name: a`",
        ),
        (
            'services:\n  - name: "a\n    command: x\n',
            (2, 11),
            'the quote " that is opened here is never closed',
            'put " behind the end of the text',
        ),
        (
            "services:\n  - name: a\n    command: [a, b\n    port: 1\n",
            (3, 14),
            "the bracket [ that is opened here is not closed",
            "put ] behind the last item",
        ),
        (
            "services:\n  - {name: a, command: x\n  - {name: b}\n",
            (2, 5),
            "the bracket { that is opened here is not closed",
            "put } behind the last item",
        ),
        (
            "a: 1\n}\n",
            (2, 1),
            "`}` closes nothing that was opened",
            "take it away, or put the value in quotes",
        ),
        (
            "a: [x,,y]\n",
            (1, 7),
            "a comma stands where an item belongs",
            "take it away, or write the item",
        ),
        (
            "services:\n  - name: @x\n",
            (2, 11),
            "a value that begins with `@` means something else to YAML",
            'put it in quotes: "@x"',
        ),
        (
            "native: {}\nversion: >=15\n",
            (2, 10),
            "a value that begins with `>` means something else to YAML",
            'put it in quotes: ">=15"',
        ),
        (
            "description: foo: bar\n",
            (1, 17),
            "a second colon with a blank behind it stands in this line",
            'put the value in quotes: "foo: bar"',
        ),
        (
            'a: "x" y\n',
            (1, 8),
            "`y` stands behind a value that is complete",
            "put the whole value in quotes, or what follows in a line of its own",
        ),
        (
            'a: "\\q"\n',
            (1, 6),
            "`\\q` means nothing in double quotes",
            "write `\\\\q`, or put the text in single quotes",
        ),
        (
            "a: {x: ${y}}\n",
            (1, 8),
            "`${` in brackets is taken for a bracket of its own",
            'put the reference in quotes: "${…}"',
        ),
        (
            "[a]\nb: c\n",
            (2, 1),
            "this line begins in column 1 and belongs to nothing above it",
            "lines that belong together begin in one column: `[a]` of line 1 in column 1",
        ),
    ],
)
def test_a_mistake_in_yaml_is_told_in_the_parsers_words(
    text: str, place: tuple[int, int], message: str, hint: str
) -> None:
    error = error_of(text)
    (problem,) = error.problems
    assert problem.message == message
    assert (problem.line, problem.column) == place
    assert error.hint == hint


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "a: 1\n---\nb: 2\n", "a: !x y\n", "a: *x\n", "[a]: b\n", "a: 1\na: 2\n"],
)
def test_what_is_refused_says_what_to_do(text: str) -> None:
    assert error_of(text).hint
