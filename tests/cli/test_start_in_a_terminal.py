"""The real command in a real terminal, with real keepers, daemons and services of the local engine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

from prismctl.errors import ExitCode
from tests.desk import PATIENCE, ended_with, read_to_end, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.desk import Desk

QUIET = """
core: false
services:
  - {name: web, command: [sleep, "1000"], default: true}
  - {name: worker, command: [sleep, "1000"], depends_on: [web], default: true}
"""
NEVER_READY = """
core: false
services:
  - {name: web, command: [sleep, "1000"], ports: {http: auto}, default: true}
  - {name: worker, command: [sleep, "1000"], depends_on: [web], default: true}
"""
STUBBORN = """
core: false
services:
  - name: web
    command: [sh, -c, "trap '' INT TERM; echo up; while :; do sleep 0.05; done"]
    ports: {http: auto}
    stop_grace: 30s
    default: true
"""
FAILING = """
core: false
services:
  - {name: web, command: [sh, -c, "echo FATAL no disk >&2; exit 3"], default: true}
  - {name: worker, command: [sleep, "1000"], depends_on: [web], default: true}
"""


def test_a_start_shows_the_plan_and_the_banner_and_leaves_no_steps_behind(desk: Desk) -> None:
    child = desk.terminal(desk.start(QUIET))
    child.expect(re.escape("services.yaml") + ".* · 2 services on .*local engine")
    child.expect("Ready in: .*[0-9.]+ seconds")
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert "prismctl dev logs -f" in shown
    assert "Dashboard: " in shown
    table = desk.terminal(["dev", "status"])
    assert re.search("● web +healthy", words(read_to_end(table)))
    assert desk.pipe("dev", "stop").stdout.startswith("stopped default in ")
    assert desk.state() == "stopped"


def test_a_pipe_gets_plain_lines_and_no_control_characters(desk: Desk) -> None:
    done = desk.pipe(*desk.start(QUIET))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    rows = done.stdout.splitlines()
    assert rows[0].startswith("start    stack=default engine=local")
    assert any(row.startswith("healthy  worker ") for row in rows)
    assert rows[-1].startswith("done     stack=default ready_in=")


def test_ready_in_counts_from_the_commands_own_start(desk: Desk) -> None:
    done = desk.pipe(*desk.start(QUIET, "-o", "json"))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(lines[0]) == ["plan"]
    status = lines[-1]["result"]["status"]
    assert status["ready_seconds"] > status["apply_seconds"]


def test_a_second_start_attaches(desk: Desk) -> None:
    desk.pipe(*desk.start(QUIET))
    again = desk.pipe(*desk.start(QUIET))
    assert again.returncode == ExitCode.DONE
    assert "already runs this plan" in again.stdout
    assert "already runs this plan" in desk.pipe("dev", "start").stdout


def test_a_small_terminal_is_not_overrun(desk: Desk) -> None:
    child = desk.terminal(desk.start(NEVER_READY, "--wait-timeout", "5"), size=(18, 60))
    shown = words(read_to_end(child))
    assert ended_with(child) == ExitCode.NOT_READY
    assert "everything waits for web" in shown
    assert "error: web was not ready within 5 s: " in shown
    before_error = shown.partition("error:")[0]
    for row in re.split(r"[\r\n]+", before_error):
        assert len(row) <= 60


CONTAINER = """
core: false
services:
  - {name: box, container: "registry.test/box:1", default: true}
"""

SLOW_DOCKER = """#!/bin/sh
cd "${0%/*}"
echo >asked
read line <answer
"""
"""Answers when it is told what."""


def test_ctrl_c_stops_what_the_start_began(desk: Desk, wait_until: Callable[..., None]) -> None:
    child = desk.terminal(desk.start(NEVER_READY))
    child.expect("waits for .*web")
    child.sendintr()
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert "stopping what this start began" in shown
    assert "stack `default` was stopped again; nothing is left running" in shown
    wait_until(lambda: not desk.lab.own_processes())


def test_ctrl_c_before_there_is_a_plan_leaves_nothing_either(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    command = desk.start(NEVER_READY)
    with subprocess.Popen(
        [sys.executable, "-m", "prismctl", *command],
        env=desk.environment,
        cwd=desk.directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: any(pid != process.pid for pid, _ in desk.lab.own_processes()))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == ExitCode.INTERRUPTED, said
    wait_until(lambda: not desk.lab.own_processes())


def test_ctrl_c_while_docker_is_asked_is_no_failure_of_docker(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    docker = desk.directory / "docker"
    docker.write_text(SLOW_DOCKER)
    docker.chmod(0o755)
    desk.environment["PATH"] = str(desk.directory)
    os.mkfifo(desk.directory / "answer")
    child = desk.terminal(desk.start(CONTAINER))
    wait_until((desk.directory / "asked").exists)
    child.sendintr()
    shown = read_to_end(child)
    assert "Docker" not in shown
    assert ended_with(child) == ExitCode.INTERRUPTED


def test_a_second_ctrl_c_kills(desk: Desk, wait_until: Callable[..., None]) -> None:
    child = desk.terminal(desk.start(STUBBORN))
    child.expect("waits for .*web")
    wait_until(
        lambda: (
            (desk.lab.paths.log("web#0")).exists()
            and b"up" in desk.lab.paths.log("web#0").read_bytes()
        )
    )
    child.sendintr()
    child.expect("Ctrl-C again kills it")
    wait_until(lambda: desk.state() == "stopping")
    child.sendintr()
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert "was killed again" in shown
    wait_until(lambda: not desk.lab.own_processes())


def test_a_termination_stops_what_the_start_began(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    child = desk.terminal(desk.start(NEVER_READY))
    child.expect("waits for .*web")
    child.kill(signal.SIGTERM)
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.TERMINATED
    assert "nothing is left running" in shown
    wait_until(lambda: not desk.lab.own_processes())


def test_a_closed_terminal_leaves_the_stack(desk: Desk) -> None:
    child = desk.terminal(desk.start(NEVER_READY))
    child.expect("waits for .*web")
    child.kill(signal.SIGHUP)
    read_to_end(child)
    assert desk.state() == "starting"
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE


def test_ctrl_c_lets_go_of_a_stack_that_ran_before(desk: Desk) -> None:
    first = desk.terminal(desk.start(NEVER_READY))
    first.expect("waits for .*web")
    # A hang-up leaves the stack on its way.
    first.kill(signal.SIGHUP)
    read_to_end(first)
    child = desk.terminal(["dev", "start"])
    child.expect("waits for .*web")
    child.sendintr()
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert "let go of stack `default`" in shown
    assert desk.state() == "starting"


def test_a_service_that_fails_gets_a_card(desk: Desk) -> None:
    child = desk.terminal(desk.start(FAILING))
    shown = words(read_to_end(child))
    assert ended_with(child) == ExitCode.FAILED
    assert "✗ web failed: exited 6 times with code 3" in shown
    assert "FATAL no disk" in shown
    assert "what needs it   ✗ worker" in shown
    assert "prismctl dev logs web" in shown


def test_a_start_that_fails_under_stop_leaves_nothing(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    done = desk.pipe(*desk.start(FAILING, "--on-failure", "stop"))
    assert done.returncode == ExitCode.FAILED
    assert "error: the stack did not come up: web" in done.stderr
    wait_until(lambda: not desk.lab.own_processes())


def test_a_start_that_is_not_ready_in_time_under_stop_leaves_nothing(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    done = desk.pipe(*desk.start(NEVER_READY, "--on-failure", "stop", "--wait-timeout", "3"))
    assert done.returncode == ExitCode.NOT_READY
    assert "error: web was not ready within 3 s: " in done.stderr
    assert "; everything was stopped again\n" in done.stderr
    assert "hint: `--wait-timeout SECONDS` waits longer" in done.stderr
    assert "dev restart" not in done.stderr
    assert desk.state() == "stopped"
    wait_until(lambda: not desk.lab.own_processes())


def test_a_start_that_is_not_ready_in_time_stays_unless_it_is_told_to_stop(desk: Desk) -> None:
    done = desk.pipe(*desk.start(NEVER_READY, "--wait-timeout", "3"))
    assert done.returncode == ExitCode.NOT_READY
    assert "stopped" not in done.stderr
    assert desk.state() == "starting"


def test_a_change_tells_its_own_time_not_that_of_the_first_start(desk: Desk) -> None:
    slow = (
        "core: false\nservices:\n"
        '  - {name: slow, command: [sh, -c, "exec sleep 1000"], min_uptime: 2s, default: true}\n'
        '  - {name: quick, command: [sleep, "1000"], default: true}\n'
    )
    first = ready_in(desk.pipe(*desk.start(slow)).stdout)
    again = ready_in(desk.pipe(*desk.start(slow, "--without", "quick")).stdout)
    assert again < first


def ready_in(output: str) -> float:
    found = re.search(r"ready_in=([0-9.]+)s", output)
    assert found is not None, output
    return float(found[1])


def test_an_impossible_plan_leaves_nothing(desk: Desk, wait_until: Callable[..., None]) -> None:
    done = desk.pipe(*desk.start(QUIET, "--with-nonsense"))
    assert done.returncode == ExitCode.INVALID
    wait_until(lambda: not desk.lab.own_processes())
    assert desk.state() == "stopped"


def test_what_a_killed_stack_left_behind_is_swept_and_said(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    desk.pipe(*desk.start(QUIET))
    both = (desk.lab.keeper_pid(), desk.lab.daemon_pid())
    # Held first, so that neither finds the time to replace the other.
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in both:
            os.kill(pid, signum)
    wait_until(lambda: not desk.lab.own_processes())
    assert "without being stopped" in desk.pipe("dev", "status").stdout
    again = desk.pipe(*desk.start(QUIET))
    assert again.returncode == ExitCode.DONE
    assert "the last run ended without being stopped" in again.stderr


def test_a_status_that_could_not_be_read_has_no_state_but_an_error_and_a_code(
    desk: Desk,
) -> None:
    desk.pipe(*desk.start(QUIET))
    daemon = desk.lab.daemon_pid()
    os.kill(daemon, signal.SIGSTOP)
    try:
        asked = desk.pipe("dev", "status", "-o", "json")
        piped = desk.pipe("dev", "status")
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert asked.returncode == piped.returncode == ExitCode.UNAVAILABLE
    document = json.loads(asked.stdout)
    assert list(document) == ["error"]
    assert document["error"]["code"] == "unavailable"
    assert f"PID {daemon}" in document["error"]["message"]
    assert piped.stdout == ""
    assert "its services run on" in piped.stderr


def test_following_logs_ends_with_ctrl_c(desk: Desk) -> None:
    talking = QUIET.replace('[sleep, "1000"]', '[sh, -c, "echo hello; exec sleep 1000"]', 1)
    desk.pipe(*desk.start(talking))
    child = desk.terminal(["dev", "logs", "-f", "web"])
    child.expect("hello")
    child.sendintr()
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.INTERRUPTED
    assert "Traceback" not in shown


def test_all_output_is_appended_to_a_file(desk: Desk, wait_until: Callable[..., None]) -> None:
    talking = QUIET.replace('[sleep, "1000"]', '[sh, -c, "echo hello; exec sleep 1000"]', 1)
    target = desk.directory / "all.log"
    desk.pipe(*desk.start(talking, "--log-file", "all.log"))
    wait_until(lambda: target.exists() and "hello" in target.read_text())
    assert desk.pipe("dev", "stop").returncode == ExitCode.DONE


def test_keys_pressed_while_it_starts_neither_show_nor_reach_the_shell(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    gate = desk.directory / "gate"
    slow = (
        "core: false\nservices:\n  - name: slow\n    default: true\n"
        f"    command: [sh, -c, 'exec sleep 1000']\n"
        f"    health_check: {{type: exec, command: [test, -e, {gate}], interval: 0.1}}\n"
    )
    child = desk.terminal(desk.start(slow))
    before = termios.tcgetattr(child.child_fd)
    child.expect("slow")
    wait_until(lambda: not termios.tcgetattr(child.child_fd)[3] & termios.ECHO)
    child.send("impatient\r")
    gate.touch()
    shown = read_to_end(child)
    assert ended_with(child) == ExitCode.DONE
    assert "impatient" not in shown
    assert before[3] & termios.ECHO
    desk.pipe("dev", "stop")
