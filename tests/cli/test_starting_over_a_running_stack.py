"""A start over a stack that has more in it by now: said in a pipe, asked about on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import ExitCode
from tests.desk import ended_with, read_to_end, words

if TYPE_CHECKING:
    from tests.desk import Desk

CATALOG = """\
core: false
services:
  - {name: web, command: [sleep, "1000"], default: true}
  - {name: other, command: [sleep, "1000"], default: true}
"""
KEEP = r"leave everything as it is \(Enter\)"


@pytest.fixture
def pids(desk: Desk) -> dict[str, int]:
    done = desk.pipe(*desk.start(CATALOG))
    assert done.returncode == ExitCode.DONE, done.stderr
    return running(desk)


def running(desk: Desk) -> dict[str, int]:
    status = json.loads(desk.pipe("dev", "status").stdout)
    return {each["name"]: each["pid"] for each in status["services"]}


def start_without_other(desk: Desk, *flags: str) -> list[str]:
    return desk.start(CATALOG, "--without", "other", *flags)


def test_a_start_that_would_take_something_away_asks_and_enter_keeps_it(
    desk: Desk, pids: dict[str, int]
) -> None:
    child = desk.terminal(start_without_other(desk), size=(30, 100))
    child.expect(KEEP)
    assert "remove   other   not in this plan" in words(child.before)
    child.send("\r")
    assert "nothing was changed" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.FAILED
    assert running(desk) == pids


def test_a_yes_changes_it(desk: Desk, pids: dict[str, int]) -> None:
    child = desk.terminal(start_without_other(desk), size=(30, 100))
    child.expect(KEEP)
    child.send("y")
    read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert running(desk) == {"web": pids["web"]}
    events = [json.loads(each) for each in desk.pipe("dev", "events").stdout.splitlines()]
    accepted = [each["message"] for each in events if each["kind"] == "plan.accepted"]
    assert accepted[-1].endswith("; removes other")


def test_a_start_that_was_confirmed_says_what_goes_and_does_not_ask(
    desk: Desk, pids: dict[str, int]
) -> None:
    child = desk.terminal(start_without_other(desk, "--yes"), size=(30, 100))
    assert "remove   other   not in this plan" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.DONE
    assert running(desk) == {"web": pids["web"]}


def test_in_a_pipe_what_goes_is_said_before_it_goes(desk: Desk, pids: dict[str, int]) -> None:
    trial = desk.pipe(*start_without_other(desk, "--dry-run"))
    assert "remove   other not in this plan\n" in trial.stdout
    assert running(desk) == pids
    done = desk.pipe(*start_without_other(desk))
    assert done.returncode == ExitCode.DONE
    assert "remove   other not in this plan\n" in done.stdout
    assert running(desk) == {"web": pids["web"]}


def test_programs_get_what_goes_beside_the_plan(desk: Desk, pids: dict[str, int]) -> None:
    del pids
    done = desk.pipe(*start_without_other(desk, "-o", "json"))
    first: Any = json.loads(done.stdout.splitlines()[0])
    assert first["disturbs"] == [{"kind": "remove", "service": "other", "why": "not in this plan"}]


def test_the_same_start_again_asks_nothing(desk: Desk, pids: dict[str, int]) -> None:
    child = desk.terminal(desk.start(CATALOG), size=(30, 100))
    assert "already runs this plan" in words(read_to_end(child))
    assert running(desk) == pids
