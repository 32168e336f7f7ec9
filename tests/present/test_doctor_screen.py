from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prismctl.present.doctor import doctor_lines, finding_lines, summary_line
from prismctl.present.text import line_width, plain

SCREENS = Path(__file__).parent / "screens"


def check(title: str, state: str, detail: str, fix: str = "", **more: Any) -> dict[str, Any]:
    return {
        "name": title.lower(),
        "title": title,
        "state": state,
        "detail": detail,
        "fix": fix,
        "fixable": False,
        **more,
    }


CHECKS = [
    check("Nomad 1.11.3", "ok", "~/.prism/bin/nomad, installed by init"),
    check(
        "home",
        "warning",
        "~/.prism has mode 0755: others can look into it",
        "chmod 700 ~/.prism",
        fixable=True,
    ),
    check(
        "port 5432",
        "problem",
        "postgres: held by PID 811, postgres -D /var/lib/postgresql/15/main, user postgres",
        "systemctl stop postgresql, or start with --auto-ports",
    ),
    check("memory", "ok", "18 GB free; `full` reserves 2.0 GB"),
    check(
        "inotify",
        "warning",
        "fs.inotify.max_user_watches = 4096, fs.inotify.max_user_instances = 128: "
        "watching many files needs more",
        "sudo sysctl fs.inotify.max_user_watches=524288",
    ),
]
DOCUMENT = {
    "schema": 1,
    "checks": CHECKS,
    "fixed": [],
    "summary": {"checks": 5, "ok": 2, "warnings": 2, "problems": 1},
}


def text_of(document: dict[str, Any], **options: Any) -> str:
    return "\n".join(plain(spans) for spans in doctor_lines(document, **options)) + "\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen_of_doctor(width: int) -> None:
    expected = (SCREENS / f"doctor-{width}.txt").read_text(encoding="utf-8")
    assert text_of(DOCUMENT, width=width) == expected


@pytest.mark.parametrize("width", [60, 80, 120])
def test_only_what_is_to_be_copied_may_be_wider_than_the_screen(width: int) -> None:
    for spans in doctor_lines(DOCUMENT, width=width):
        words = plain(spans)
        assert line_width(spans) <= width or words.lstrip().startswith("fix: ")


def test_a_fix_is_never_broken_or_cut() -> None:
    long = check("x", "problem", "y", "sudo sysctl " + " ".join(f"fs.a{n}=1" for n in range(30)))
    assert any(plain(spans).endswith(long["fix"]) for spans in finding_lines([long], width=40))


def test_symbols_differ_without_colour() -> None:
    rows = [plain(spans) for spans in finding_lines(CHECKS, width=120)]
    heads = [row[2] for row in rows if row[2] != " "]
    assert heads == ["✓", "!", "✗", "✓", "!"]


def test_brief_leaves_out_what_is_fine_and_still_counts_it() -> None:
    words = text_of(DOCUMENT, width=80, is_brief=True)
    assert "Nomad" not in words
    assert "port 5432" in words
    assert words.endswith("5 checks: 2 fine, 2 warnings, 1 problem\n")


def test_what_was_mended_comes_first() -> None:
    fixed = {**DOCUMENT, "fixed": ["~/.prism has mode 0700 now, not 0755"]}
    assert text_of(fixed, width=80).startswith("  fixed  ~/.prism has mode 0700 now, not 0755\n\n")


def test_a_summary_without_problems_says_nothing_of_them() -> None:
    summary = {"checks": 1, "ok": 1, "warnings": 0, "problems": 0}
    assert plain(summary_line(summary)) == "1 check: 1 fine"


def test_control_characters_of_others_do_not_reach_the_terminal() -> None:
    nasty = check("port 1", "problem", "held by PID 1, \x1b[2J\x07evil", "kill \x1b]0;x\x07 1")
    assert all("\x1b" not in plain(spans) for spans in finding_lines([nasty], width=80))
