"""What starts took, from real ones."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.desk import Desk

TWO = """
core: false
services:
  - {name: base, command: [sleep, "1000"], default: true}
  - {name: top, command: [sleep, "1000"], default: true, depends_on: [base]}
"""
START = ("dev", "start", "--engine", "local", "--services", "services.yaml", "-q")


def test_the_start_of_a_running_stack_is_reported_part_by_part(desk: Desk) -> None:
    desk.start(TWO)
    assert desk.pipe(*START).returncode == 0
    document = json.loads(desk.pipe("dev", "stats", "-o", "json").stdout)
    report = document["last_start"]
    assert report["critical_path"] == ["base", "top"]
    assert [each["name"] for each in report["parts"]] == ["", "base", "top"]
    assert report["usual_seconds"] is None
    taken = sum(each["seconds"] for each in report["parts"])
    assert abs(taken - report["ready_seconds"]) < 0.05
    assert len(document["starts"]) == 1
    desk.pipe("dev", "stop", "-q")


def test_starts_of_a_stopped_stack_are_still_known(desk: Desk) -> None:
    desk.start(TWO)
    for _ in range(2):
        desk.pipe(*START)
        desk.pipe("dev", "stop", "-q")
    shown = desk.pipe("dev", "stats").stdout
    assert re.search(r"ready in \d\.\d s, usually \d\.\d s \(1 start before it\)", shown)
    assert shown.count("services.yaml") == 2


def test_a_stack_that_was_never_started_says_so(desk: Desk) -> None:
    answer = desk.pipe("dev", "stats")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "stack `default` was never started here, or no start of it came up\n"
