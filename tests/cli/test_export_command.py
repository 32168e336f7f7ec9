"""One file for a bug report, of real stacks."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from prismctl.errors import ExitCode
from prismctl.present.bundle_page import read_bundle_page

if TYPE_CHECKING:
    from tests.desk import Desk

SECRETIVE = """
core: false
services:
  - name: talker
    command: [sh, -c, 'echo "my key is $KEY_OF_MINE"; echo ready; exec sleep 1000']
    env: {KEY_OF_MINE: swordfish-and-chips}
    secrets: [KEY_OF_MINE]
    health_check: {type: log, pattern: ready}
    default: true
"""


def test_a_bundle_has_what_a_bug_report_needs_and_no_secret(desk: Desk) -> None:
    assert desk.pipe(*desk.start(SECRETIVE), "-q").returncode == 0
    answer = desk.pipe("dev", "export", "--bundle", "stack.html")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("wrote ~/stack.html (")

    file = desk.directory / "stack.html"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text()
    assert "swordfish" not in page
    parts = read_bundle_page(page)["parts"]
    assert parts["status"]["content"]["state"] == "running"
    assert any("my key is" in each for each in parts["log.talker"]["content"])
    assert parts["plan"]["content"]["services"][0]["name"] == "talker"
    assert {each["name"] for each in parts["versions"]["content"]["tools"]} >= {
        "prismctl",
        "python",
    }
    assert parts["doctor"]["content"]["summary"]
    assert any(each["kind"] == "service.healthy" for each in parts["events"]["content"])
    assert str(desk.directory) not in page  # it is somebody's home
    desk.pipe("dev", "stop", "-q")


LOUD = """
core: false
services:
  - name: loud
    command:
      - sh
      - -c
      - 'for n in $(seq 200); do head -c 20000 /dev/zero | tr "\\0" Z; echo; done; echo ready; exec sleep 1000'
    health_check: {type: log, pattern: ready}
    default: true
"""


def test_a_log_of_long_lines_is_cut_and_says_so(desk: Desk) -> None:
    assert desk.pipe(*desk.start(LOUD), "-q").returncode == 0
    answer = desk.pipe("dev", "export", "--bundle", "-", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    log = json.loads(answer.stdout)["parts"]["log.loud"]["content"]
    assert log[0].startswith("… ")
    assert log[0].endswith(" lines before these are left out")
    assert log[1].endswith("ZZZ… 12000 characters more")
    assert log[-1].endswith("ready")
    assert int(log[0].split()[1]) + len(log) - 1 == 201
    desk.pipe("dev", "stop", "-q")


def test_a_stopped_stack_has_its_last_logs_in_a_bundle(desk: Desk) -> None:
    desk.pipe(*desk.start(SECRETIVE), "-q")
    desk.pipe("dev", "stop", "-q")
    answer = desk.pipe("dev", "export", "--bundle", "-", "-o", "json")
    assert answer.returncode == ExitCode.PARTIAL
    assert "swordfish" not in answer.stdout
    parts = json.loads(answer.stdout)["parts"]
    assert parts["status"]["content"]["state"] == "stopped"
    assert any("my key is" in each for each in parts["log.talker"]["content"])
    assert parts["plan"]["problem"] == "nothing of stack `default` runs"


def test_a_file_that_is_no_bundle_stays(desk: Desk) -> None:
    (desk.directory / "notes.txt").write_text("mine")
    answer = desk.pipe("dev", "export", "--bundle", "notes.txt")
    assert answer.returncode == ExitCode.INVALID
    assert "notes.txt exists, and is no bundle" in answer.stderr
    assert (desk.directory / "notes.txt").read_text() == "mine"


def test_an_older_bundle_is_replaced(desk: Desk) -> None:
    for _ in range(2):
        assert desk.pipe("dev", "export", "--bundle", "stack.html").returncode == ExitCode.PARTIAL


def test_a_bundle_begins_with_the_table_that_status_shows(desk: Desk) -> None:
    desk.pipe(*desk.start(SECRETIVE), "-q")
    desk.pipe("dev", "export", "--bundle", "stack.html")
    page = (desk.directory / "stack.html").read_text()
    first = page.partition("<details")[2].partition("</details>")[0]
    assert first.startswith(" open><summary>Status")
    assert "● talker" in first
    desk.pipe("dev", "stop", "-q")
