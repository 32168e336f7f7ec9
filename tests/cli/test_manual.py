from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from prismctl.cli.command import Group
from prismctl.cli.manual import EXIT_MEANINGS, escape, render_manual
from prismctl.cli.root import root
from prismctl.errors import ExitCode

PAGE = Path(__file__).parents[2] / "docs/man/prismctl.1"


def test_the_man_page_is_what_the_commands_say() -> None:
    """`python -m prismctl.cli.manual > docs/man/prismctl.1` writes it."""
    assert PAGE.read_text(encoding="ascii") == render_manual()


def test_every_exit_code_is_told() -> None:
    assert set(EXIT_MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        ("takes `--yes`", r"takes \fB\-\-yes\fR"),
        (".hidden", r"\&.hidden"),
        ("'a' \\ ~", r"\(aqa\(aq \e \(ti"),
        ("wait …", r"wait \[u2026]"),
    ],
)
def test_roff_sees_nothing_but_text(text: str, roff: str) -> None:
    assert escape(text) == roff


@pytest.mark.skipif(not shutil.which("groff"), reason="there is no groff")
def test_the_man_page_is_set_without_a_warning_and_can_be_copied_from() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=300n", str(PAGE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    dev = root.get_command(click.Context(root), "dev")
    assert isinstance(dev, Group)
    for name in dev.entries:
        assert f"prismctl dev {name}" in done.stdout
    assert "prismctl dev catalog list -o json | jq -r '.services[].name'" in done.stdout


def test_the_wheel_carries_the_man_page_to_where_man_looks() -> None:
    import tomllib

    project = tomllib.loads((PAGE.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert carried == {"docs/man/prismctl.1": "share/man/man1/prismctl.1"}
