from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.cli import interrupts
from prismctl.cli.commands import status as status_module
from prismctl.errors import ExitCode, PrismError, UnavailableError

if TYPE_CHECKING:
    from prismctl.files.paths import Home

DOCUMENT = Path(__file__).parents[2] / "docs/reference/exit-codes.md"


def test_the_table_of_exit_codes_is_the_enum() -> None:
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {(int(number), name) for number, name in rows} == {
        (code.value, code.name) for code in ExitCode
    }


def test_every_error_code_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    pending: list[type[PrismError]] = [PrismError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert f"`{kind.code}`" in text


@pytest.mark.parametrize(
    ("arguments", "message", "suggestion"),
    [
        (["dve"], "no such command `prismctl dve`", "dev"),
        (["dev", "statsu"], "no such command `prismctl dev statsu`", "status"),
        (["status"], "no such command `prismctl status`", "dev status"),
        (["install"], "no such command `prismctl install`", "dev init"),
        (["dev", "explain"], "no such command `prismctl dev explain`", "config explain"),
        (["dev", "ps"], "no such command `prismctl dev ps`", "status"),
        (["dev", "start", "--prest=redis"], "no such option `--prest`", "--preset"),
        (["dev", "logs", "--tial", "3"], "no such option `--tial`", "--tail"),
        (["dev", "--stck", "x"], "no such option `--stck`", "--stack"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_one(
    prismctl: Any, arguments: list[str], message: str, suggestion: str
) -> None:
    answer = prismctl(*arguments)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {message}; did you mean `{suggestion}`?\n\nhint: ")
    assert answer.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dev", "start", "--with-redis=false"], "write `--without redis`"),
        (["dev", "start", "--without-redis=false"], "write `--with redis`"),
        (["dev", "start", "--with-redis=true"], "write `--with redis`"),
        (["dev", "start", "--with-rediss", "--dry-run"], "did you mean `redis`?"),
        (["dev", "start", "--preset=redsi", "--dry-run"], "did you mean `redis`?"),
        (["dev", "start", "redis"], "write `prismctl dev start --preset=redis`"),
        (["dev", "--stack", "x", "status"], "`prismctl dev status …`"),
        (["dev", "start", "--engine", "docker"], "--engine"),
        (["dev", "ui", "grafana"], "nomad"),
        (["dev", "ui"], "missing argument"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(
    prismctl: Any, arguments: list[str], words: str
) -> None:
    answer = prismctl(*arguments)
    assert answer.code == 2
    assert words in answer.err


@pytest.mark.parametrize(
    ("command", "flag", "value", "allowed"),
    [
        ("start", "--wait-timeout", "soon", "a number of seconds, nor `90s` or `2m` (0 or more)"),
        ("start", "--wait-timeout", "nan", "a number of seconds, nor `90s` or `2m` (0 or more)"),
        ("restart", "--wait-timeout", "-0.5", "a number of seconds, nor `90s` or `2m` (0 or more)"),
        ("wait", "--timeout", "-1", "a number of seconds, nor `90s` or `2m` (0 or more)"),
        ("wait", "--timeout", "inf", "a number of seconds, nor `90s` or `2m` (0 or more)"),
        ("logs", "--tail", "x", "a whole number of lines (0 or more)"),
        ("logs", "--tail", "-1", "a whole number of lines (0 or more)"),
        ("logs", "--tail", "1.5", "a whole number of lines (0 or more)"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_flag_value_and_what_is_allowed(
    prismctl: Any, command: str, flag: str, value: str, allowed: str
) -> None:
    answer = prismctl("dev", command, flag, value)
    assert answer.code == 2
    assert answer.err == (
        f"error: {flag}: `{value}` is not {allowed}\n\n"
        f"hint: `prismctl dev {command} --help` shows what there is\n"
    )


def test_an_error_before_any_command_speaks_json_too(prismctl: Any) -> None:
    answer = prismctl("dev", "statsu", "-o", "json")
    assert answer.code == 2
    error = answer.document["error"]
    assert set(error) == {"code", "message", "hint", "problems"}
    assert error["code"] == "invalid"
    assert error["problems"][0]["suggestion"] == "status"
    assert answer.err == ""


@pytest.fixture
def failing_status(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets `status` raise what a test wants it to."""

    def fail(error: BaseException) -> None:
        def read_status(_: object, **_options: object) -> Any:
            raise error

        monkeypatch.setattr(status_module, "read_status", read_status)

    return fail


def test_an_error_is_a_line_a_blank_line_and_a_hint(prismctl: Any, failing_status: Any) -> None:
    failing_status(UnavailableError("Nomad did not answer", hint="look at it"))
    answer = prismctl("dev", "status")
    assert answer.code == 4
    assert answer.err == "error: Nomad did not answer\n\nhint: look at it\n"


def test_control_characters_in_a_message_do_not_reach_the_terminal(
    prismctl: Any, failing_status: Any
) -> None:
    failing_status(PrismError("\x1b[2Jgone\rover"))
    assert "\x1b" not in prismctl("dev", "status").err


def test_a_bug_is_one_line_and_a_file(prismctl: Any, failing_status: Any, home: Home) -> None:
    failing_status(ZeroDivisionError("division by zero"))
    answer = prismctl("dev", "status")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert answer.err.startswith("error: this is a bug in prismctl: ZeroDivisionError")
    (report,) = (home.directory / "crashes").iterdir()
    assert str(report) in answer.err
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_a_bug_shows_its_traceback_when_asked_to(prismctl: Any, failing_status: Any) -> None:
    failing_status(ZeroDivisionError("division by zero"))
    assert "Traceback" in prismctl("dev", "status", "-v").err


def test_a_bug_where_home_cannot_be_written_is_still_one_line(
    prismctl: Any, failing_status: Any, home: Home
) -> None:
    home.directory.write_text("a file, not a directory")
    failing_status(ZeroDivisionError())
    answer = prismctl("dev", "status")
    assert answer.code == 1
    assert "hint: add -v" in answer.err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (interrupts.Terminated(), ExitCode.TERMINATED),
        (interrupts.TerminatedError("stopped"), ExitCode.TERMINATED),
    ],
)
def test_interrupts_have_their_codes(
    prismctl: Any, failing_status: Any, raised: BaseException, code: ExitCode
) -> None:
    failing_status(raised)
    assert prismctl("dev", "status").code == code


def test_a_reader_that_goes_away_ends_the_command_quietly(home: Home) -> None:
    paths = home.stack("default")
    paths.ensure()
    row = "2026-01-02T03:04:05.678901234Z stdout F " + "x" * 100 + "\n"
    paths.log("redis#0").write_text(row * 20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "prismctl", "dev", "logs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.DONE


@pytest.mark.parametrize(
    ("variables", "flags", "is_coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "0"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--no-color"], False),
        ({"NO_COLOR": "1"}, [], False),
    ],
)
def test_colour_is_a_matter_of_flags_then_variables_then_the_stream(
    prismctl: Any,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    flags: list[str],
    is_coloured: bool,  # noqa: FBT001 - a column of the table
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in prismctl("dev", "status", "-o", "text", *flags).out) is is_coloured


@pytest.mark.parametrize("written", ["90", "90s", "2m", "1.5", "500ms"])
def test_a_duration_that_config_takes_was_refused_after_a_flag(prismctl: Any, written: str) -> None:
    answer = prismctl("dev", "config", "explain", "wait_timeout", "--wait-timeout", written)
    assert answer.code == 0, answer.err
    assert answer.out.split()[2] == {"90s": "90", "2m": "120", "500ms": "0.5"}.get(written, written)
