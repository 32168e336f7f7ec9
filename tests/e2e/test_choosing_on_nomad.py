"""The picker's `WarmEngine` on the real Nomad: up while somebody chooses, gone with them, and in nobody else's way."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.errors import ExitCode
from tests.e2e.conftest import PRISMCTL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import Shell

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

OPENED = "space toggle"
CATALOG = """
core: false
services:
  - {name: web, command: [sleep, "1000"], default: true}
"""


@pytest.fixture
def open_picker(shell: Shell) -> Iterator[Callable[[], Any]]:
    """Opens pickers on terminals of their own."""
    opened: list[Any] = []
    shell.lab.home.mkdir(parents=True, exist_ok=True)
    (shell.lab.home / "services.yaml").write_text(CATALOG)

    def open_one() -> Any:
        child = pexpect.spawn(
            PRISMCTL,
            ["dev", "start", "--no-dashboard"],
            env={**shell.environment, "TERM": "xterm-256color"},
            cwd=str(shell.lab.home.parent),
            encoding="utf-8",
            dimensions=(24, 80),
            timeout=60,
        )
        opened.append(child)
        child.expect(OPENED)
        return child

    yield open_one
    for child in opened:
        child.close(force=True)


@pytest.fixture
def is_warm(shell: Shell) -> Callable[[], bool]:
    """Whether Nomad's agents are up and no plan is there."""

    def look() -> bool:
        if find_condition(shell.lab.paths) is not StackCondition.RUNNING:
            return False
        components = shell.lab.client.status()["components"]
        return bool(components == {"consul": "ready", "nomad": "ready"})

    return look


@pytest.fixture
def count_connections(shell: Shell) -> Callable[[], int]:
    """How many programs talk to the daemon: each picker that is loaded keeps a connection for as long as it is open."""

    def count() -> int:
        place = str(shell.lab.paths.daemon_socket)
        sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        connected = "03"
        return sum(words[-1] == place and words[5] == connected for words in sockets)

    return count


def test_leaving_the_picker_leaves_a_stack_alone_that_was_started_elsewhere_meanwhile(
    shell: Shell,
    open_picker: Callable[[], Any],
    is_warm: Callable[[], bool],
    wait_until: Callable[..., None],
) -> None:
    picker = open_picker()
    wait_until(is_warm, seconds=60)
    shell.run("dev", "start", "--with=web", "--no-dashboard")
    before = shell.lab.pids(shell.status())

    picker.send("q")
    picker.expect(pexpect.EOF)

    status = shell.status()
    assert (status["state"], status["engine"]) == ("running", "nomad")
    assert shell.lab.pids(status) == before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_closed_terminal_takes_what_was_warm_along(
    shell: Shell,
    open_picker: Callable[[], Any],
    is_warm: Callable[[], bool],
    wait_until: Callable[..., None],
    number: int,
) -> None:
    picker = open_picker()
    wait_until(is_warm, seconds=60)

    os.kill(picker.pid, number)

    wait_until(lambda: not shell.lab.own_processes(), seconds=20)


def test_somebody_else_can_choose_while_agents_are_only_warm(
    shell: Shell,
    open_picker: Callable[[], Any],
    is_warm: Callable[[], bool],
    count_connections: Callable[[], int],
    wait_until: Callable[..., None],
) -> None:
    first = open_picker()
    wait_until(is_warm, seconds=60)
    daemon = shell.lab.daemon_pid()
    wait_until(lambda: count_connections() == 1)
    second = open_picker()
    # It is on the screen before it is loaded; from here on it needs what is warm, too.
    wait_until(lambda: count_connections() == 2)
    first.send("q")
    first.expect("nothing was started")
    first.expect(pexpect.EOF)

    second.send("\r")
    second.expect("Ready in: .*[0-9.]+ seconds")
    second.expect(pexpect.EOF)
    second.wait()

    assert second.exitstatus == ExitCode.DONE
    assert json.loads(shell.run("dev", "status", "-o", "json"))["state"] == "running"
    assert shell.lab.daemon_pid() == daemon, "the warm engine was not used"
