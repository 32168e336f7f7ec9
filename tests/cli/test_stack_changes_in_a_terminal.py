"""What `dev add` and `dev remove` ask on a real terminal, of a real stack."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from prismctl.errors import ExitCode
from tests.desk import ended_with, read_to_end, words
from tests.free_ports import take_port
from tests.port_holder import holding

if TYPE_CHECKING:
    from tests.desk import Desk

CATALOG = """\
core: false
services:
  - {name: base, command: [sleep, "1000"], default: true}
  - {name: top, command: [sleep, "1000"], depends_on: [base], default: true}
  - {name: other, command: [sleep, "1000"], default: true}
"""
TO_BE_ADDED = """\
core: false
services:
  - {{name: web, command: [sleep, "1000"], port: {port}, health_check: {{type: exec, command: ["true"]}}}}
"""
KEEP = r"leave everything as it is \(Enter\)"


def start(desk: Desk) -> dict[str, int]:
    done = desk.pipe(*desk.start(CATALOG))
    assert done.returncode == 0, done.stderr
    return pids(desk)


def pids(desk: Desk) -> dict[str, int]:
    status = json.loads(desk.pipe("dev", "status").stdout)
    return {each["name"]: each["pid"] for each in status["services"]}


def ask_to_remove_base(desk: Desk) -> Any:
    child = desk.terminal(["dev", "remove", "base"], size=(24, 100))
    child.expect(KEEP)
    assert "top needs base" in words(child.before)
    return child


def test_dependents_are_asked_about_and_go_with_it(desk: Desk) -> None:
    before = start(desk)
    child = ask_to_remove_base(desk)
    child.send("y")
    assert "removed base and top in" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.DONE
    assert pids(desk) == {"other": before["other"]}


def test_enter_keeps_everything(desk: Desk) -> None:
    before = start(desk)
    child = ask_to_remove_base(desk)
    child.send("\r")
    assert "nothing was changed" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.FAILED
    assert pids(desk) == before


def test_ctrl_c_at_the_question_keeps_everything(desk: Desk) -> None:
    before = start(desk)
    child = ask_to_remove_base(desk)
    child.sendintr()
    assert "interrupted; nothing was changed" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert pids(desk) == before


def test_a_taken_port_of_what_is_added_is_asked_about_as_at_a_start(desk: Desk) -> None:
    before = start(desk)
    port = take_port()
    (desk.directory / "more.yaml").write_text(TO_BE_ADDED.format(port=port))
    with holding(port):
        child = desk.terminal(["dev", "add", "web", "--services", "more.yaml"], size=(30, 120))
        child.expect(r"give web another port")
        child.send("a")
        shown = words(read_to_end(child))
    assert "added web in" in shown
    assert ended_with(child) == ExitCode.DONE
    after = pids(desk)
    assert {**after, **before} == after


def test_ctrl_c_lets_go_of_a_change_that_goes_on(desk: Desk) -> None:
    start(desk)
    gate = desk.directory / "gate"
    (desk.directory / "slow.yaml").write_text(
        "core: false\nservices:\n"
        "  - {name: slow, command: [sleep, '1000'], "
        f"health_check: {{type: exec, command: [test, -e, {gate}]}}}}\n"
    )
    child = desk.terminal(["dev", "add", "slow", "--services", "slow.yaml"], size=(30, 120))
    child.expect("waits for slow")
    os.kill(child.pid, signal.SIGINT)
    assert "let go; the change goes on by itself" in words(read_to_end(child))
    assert ended_with(child) == ExitCode.INTERRUPTED
    gate.touch()
    assert desk.pipe("dev", "wait", "slow").returncode == 0
