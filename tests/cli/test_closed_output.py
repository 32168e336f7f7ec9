"""Commands whose reader goes away, or was never there: they do what they were told, and say truly how it ended."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.errors import ExitCode
from tests.desk import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.desk import Desk

QUIET = """
core: false
services:
  - {name: web, command: [sleep, "1000"], default: true}
  - {name: worker, command: [sleep, "1000"], depends_on: [web], default: true}
"""
FAILING = """
core: false
services:
  - {name: web, command: [sh, -c, "exit 3"], default: true}
"""


def left_alone(
    desk: Desk, *arguments: str, lines: int = 1, says_all: bool = False
) -> tuple[int, str]:
    """Exit code and stderr of a command whose output nobody reads any more after some lines.

    With ``says_all`` stderr goes where stdout goes, and is as unread.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "prismctl", *arguments],
        env=desk.environment,
        cwd=desk.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if says_all else subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        for _ in range(lines):
            assert child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read() if child.stderr is not None else ""
        return child.wait(PATIENCE), said


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("flags", [(), ("-o", "json")], ids=["text", "json"])
def test_a_start_that_nobody_listens_to_goes_on_to_its_end(
    desk: Desk, lines: int, flags: tuple[str, ...]
) -> None:
    code, said = left_alone(desk, *desk.start(QUIET, *flags), lines=lines)
    assert (code, said) == (ExitCode.DONE, "")
    assert desk.state() == "running"


def test_a_start_that_nobody_listens_to_fails_when_it_fails(desk: Desk) -> None:
    code, said = left_alone(desk, *desk.start(FAILING))
    assert code == ExitCode.FAILED
    assert "error: the stack did not come up: web" in said
    assert "Traceback" not in said


def test_a_start_whose_errors_nobody_reads_either_keeps_its_exit_code(desk: Desk) -> None:
    assert left_alone(desk, *desk.start(FAILING), says_all=True)[0] == ExitCode.FAILED
    # The unread hint of an empty start is the first thing on stderr.
    assert left_alone(desk, *desk.start(QUIET), lines=0, says_all=True)[0] == ExitCode.DONE


def test_a_wait_and_a_stop_that_nobody_listens_to_do_what_they_were_told(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    assert desk.pipe(*desk.start(QUIET)).returncode == ExitCode.DONE
    assert left_alone(desk, "dev", "restart", lines=0) == (ExitCode.DONE, "")
    assert left_alone(desk, "dev", "wait", lines=0) == (ExitCode.DONE, "")
    assert left_alone(desk, "dev", "stop", lines=0) == (ExitCode.DONE, "")
    wait_until(lambda: not desk.lab.own_processes())


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_start_without_any_output_does_its_work(desk: Desk, closed: str) -> None:
    command = [sys.executable, "-m", "prismctl", *desk.start(QUIET)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        env=desk.environment,
        cwd=desk.directory,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.DONE, "")
    assert desk.state() == "running"
