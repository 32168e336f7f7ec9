"""What a start is expected to take: told before it, and beside what it took; from real starts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from prismctl.domain.estimate import ENOUGH_STARTS
from prismctl.files.paths import Home
from tests.desk import read_to_end, words

if TYPE_CHECKING:
    from tests.desk import Desk

ONE = """
core: false
services:
  - {name: web, command: [sleep, "1000"], memory_mb: 64, default: true}
"""
START = ("dev", "start", "--engine", "local", "--services", "services.yaml")


def test_five_starts_say_what_is_usual(desk: Desk) -> None:
    desk.start(ONE)
    assert "a first guess" in desk.pipe(*START, "--dry-run").stdout
    for _ in range(ENOUGH_STARTS):
        assert desk.pipe(*START, "-q").returncode == 0
        desk.pipe("dev", "stop", "-q")

    told = desk.pipe(*START, "--dry-run").stdout.splitlines()[-1]
    assert re.fullmatch(r"startup +about \d\.\d(-\d\.\d)? s \(from 5 starts here\)", told)
    estimate = json.loads(desk.pipe(*START, "--dry-run", "-o", "json").stdout)["estimate"]
    assert estimate["measured"]
    assert estimate["memory_measured"]
    assert estimate["memory_bytes"] < 64 << 20
    assert estimate["low_seconds"] < estimate["typical_seconds"] < estimate["high_seconds"]

    shown = words(read_to_end(desk.terminal([*START, "--no-dashboard"])))
    assert re.search(r"Ready in: \d\.\d seconds  \(usually \d\.\d(-\d\.\d)?\)", shown)
    # What of it runs already takes no time: a change is nobody's estimate.
    running = json.loads(desk.pipe(*START, "--dry-run", "-o", "json").stdout)
    assert running["estimate"] is None


def test_another_selection_is_put_together_from_parts(desk: Desk) -> None:
    desk.start(ONE)
    desk.pipe(*START, "-q")
    desk.pipe("dev", "stop", "-q")
    desk.start(ONE + '  - {name: more, command: [sleep, "1000"], default: true}\n')
    told = desk.pipe(*START, "--dry-run").stdout.splitlines()[-1]
    assert "a guess, from its parts in 1 start here" in told


def test_a_first_start_is_told_without_what_is_usual(desk: Desk) -> None:
    shown = words(read_to_end(desk.terminal(desk.start(ONE))))
    assert "Ready in: " in shown
    assert "usually" not in shown


def test_a_history_that_cannot_be_read_is_none(desk: Desk) -> None:
    home = Home(desk.lab.home)
    home.directory.mkdir()
    home.history.write_bytes(b"no database" * 500)
    desk.start(ONE)
    told = desk.pipe(*START, "--dry-run")
    assert (told.returncode, told.stderr) == (0, "")
    assert "a first guess" in told.stdout
