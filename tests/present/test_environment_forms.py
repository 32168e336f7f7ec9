"""Values arrive in real shells as they left, whatever is in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from prismctl.present.environment import (
    NAMES_VARIABLE,
    find_given,
    render_environment,
)

if TYPE_CHECKING:
    from pathlib import Path

NASTY = {
    "EMPTY": "",
    "SPACES": "  a  b ",
    "QUOTES": """it's "so" `ls` \\""",
    "DOLLARS": "$HOME ${HOME} $(id) !history #no",
    # LINES itself is a number in zsh.
    "MANY_LINES": "one\ntwo\n",
    "UNICODE": "żółw 漢字 🐢",
    "BACKSLASHES": "\\n \\' \\\\",
    "CONTROL": "a\tb\r",
    "EQUALS": "a=b;c&d|e>f*?[x]~",
}
SHELLS = [
    pytest.param("/bin/sh", "sh", id="sh"),
    pytest.param("bash", "sh", id="bash"),
    # Installed beside the servers, for the tests that need more than Python.
    pytest.param("zsh", "sh", id="zsh", marks=pytest.mark.e2e),
    pytest.param("fish", "fish", id="fish", marks=pytest.mark.e2e),
]


def values_in(shell: str, text: str, tmp_path: Path, names: list[str]) -> dict[str, str]:
    """What a program sees that the shell starts after it has read the text."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "variables"
    file.write_text(text)
    read = "source" if shell == "fish" else "."
    done = subprocess.run(
        [program, "-c", f"{read} {file}; env -0"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    entries = dict(each.split(b"=", 1) for each in done.stdout.split(b"\0") if each)
    return {name: entries[name.encode()].decode() for name in names if name.encode() in entries}


@pytest.mark.parametrize(("shell", "form"), SHELLS)
def test_values_arrive_unchanged(shell: str, form: str, tmp_path: Path) -> None:
    text = render_environment(NASTY, form, stack="default")
    assert values_in(shell, text, tmp_path, list(NASTY)) == NASTY


@pytest.mark.parametrize(("shell", "form"), SHELLS)
def test_what_is_gone_is_unset(shell: str, form: str, tmp_path: Path) -> None:
    first = render_environment({"A": "1", "B": "2"}, form, stack="default")
    second = render_environment({"B": "3"}, form, stack="default", gone=["A"])
    names = ["A", "B", NAMES_VARIABLE]
    found = values_in(shell, f"{first}\n{second}\n", tmp_path, names)
    assert found == {"B": "3", NAMES_VARIABLE: "B"}
    last = render_environment({}, form, stack="default", gone=["B", NAMES_VARIABLE])
    assert values_in(shell, f"{first}\n{second}\n{last}\n", tmp_path, names) == {}


def test_a_dotenv_file_that_a_shell_reads_means_the_same(tmp_path: Path) -> None:
    """All but line ends, for which a shell and the tools that read such files have no common word."""
    plain = {name: value for name, value in NASTY.items() if name not in {"MANY_LINES", "CONTROL"}}
    text = "set -a\n" + render_environment(plain, "dotenv", stack="default")
    assert values_in("/bin/sh", text, tmp_path, list(plain)) == plain


def test_line_ends_in_a_dotenv_file_stay_on_their_line() -> None:
    text = render_environment(NASTY, "dotenv", stack="default")
    assert len(text.splitlines()) == len(NASTY)
    assert 'MANY_LINES="one\\ntwo\\n"' in text


def test_json_is_json() -> None:
    assert json.loads(render_environment(NASTY, "json", stack="default")) == NASTY


def test_direnv_asks_again_each_time() -> None:
    assert render_environment({}, "direnv", stack="two") == 'eval "$(prismctl dev env --stack two)"'


def test_only_names_of_variables_are_ever_unset() -> None:
    environment = {NAMES_VARIABLE: "A B;id $(id) C_1 -f 1X"}
    assert find_given(environment) == ["A", "C_1"]
