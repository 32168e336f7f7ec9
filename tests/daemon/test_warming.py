"""Agents that are up for somebody who chooses: gone with whoever wanted them, unless a plan came meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.domain.plan import plan_to_json
from prismctl.domain.service import CheckType, HealthCheck
from prismctl.errors import RejectedError
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import StackLab

CHOOSE = """
import pathlib, signal, sys
# `nohup` has what it starts ignore it, and so on down to here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from prismctl.client import StackClient
from prismctl.files.paths import Home
for _ in StackClient(Home(pathlib.Path(sys.argv[1])).stack("default")).hold_warm("local"):
    print("up", flush=True)
"""


@pytest.fixture
def begin_choosing(lab: StackLab) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts processes that hold the agents up, as an open picker does."""
    begun: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", CHOOSE, str(lab.home)], stdout=subprocess.PIPE, text=True
        )
        begun.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        return child

    yield begin
    for child in begun:
        child.kill()
        child.communicate()


def test_whoever_leaves_a_choice_leaves_a_stack_alone_that_was_started_elsewhere_meanwhile(
    lab: StackLab,
) -> None:
    lab.start_with(lab.service("web"))

    with pytest.raises(RejectedError, match="a plan was applied meanwhile"):
        list(lab.client.stop(only_unclaimed=True))

    assert lab.client.status()["state"] == "running"


def test_a_start_that_is_under_way_is_not_given_up_because_somebody_leaves_a_choice(
    lab: StackLab,
) -> None:
    lab.start()
    never = lab.service("never", check=HealthCheck(type=CheckType.TCP, port=take_port()))
    answers = lab.client.apply(plan_to_json(lab.plan(never)), time.time())
    next(answers)

    with pytest.raises(RejectedError):
        list(lab.client.stop(only_unclaimed=True))

    assert lab.client.plan() is not None


def test_what_is_only_warm_is_taken_down(lab: StackLab, wait_until: Callable[..., None]) -> None:
    lab.start()
    lab.client.warm("local")

    list(lab.client.stop(only_unclaimed=True))

    assert find_condition(lab.paths) is StackCondition.STOPPED
    wait_until(lambda: not lab.own_processes())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_agents_do_not_stay_when_whoever_chooses_is_gone(
    lab: StackLab,
    wait_until: Callable[..., None],
    begin_choosing: Callable[[], subprocess.Popen[str]],
    number: int,
) -> None:
    lab.start()
    os.kill(begin_choosing().pid, number)

    # Long before a daemon that merely idles would end.
    wait_until(lambda: not lab.own_processes(), seconds=15.0)
    assert find_condition(lab.paths) is StackCondition.STOPPED


def test_agents_stay_while_one_of_two_who_choose_is_left(
    lab: StackLab,
    wait_until: Callable[..., None],
    begin_choosing: Callable[[], subprocess.Popen[str]],
) -> None:
    lab.start()
    first, second = begin_choosing(), begin_choosing()

    with pytest.raises(RejectedError, match="somebody else is choosing"):
        list(lab.client.stop(only_unclaimed=True))
    first.kill()
    first.wait()
    assert lab.client.ping()
    second.kill()
    second.wait()

    wait_until(lambda: find_condition(lab.paths) is StackCondition.STOPPED, seconds=15.0)


def test_a_stack_runs_on_when_whoever_chose_it_is_gone(
    lab: StackLab, begin_choosing: Callable[[], subprocess.Popen[str]]
) -> None:
    lab.start()
    choosing = begin_choosing()
    lab.apply(lab.plan(lab.service("web")))
    choosing.kill()
    choosing.wait()

    # A request comes after the hang-up, and is answered by a stack that runs.
    assert lab.client.status()["state"] == "running"


def test_a_terminal_that_is_closed_before_the_daemon_is_up_leaves_none(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.paths.ensure()
    heard, said = os.pipe()
    os.close(heard)
    argv = [sys.executable, "-m", "prismctl.daemon", "--home", str(lab.home)]
    argv += ["--stack", "default", "--engine", "local", "--ready-fd", str(said)]

    with subprocess.Popen(argv, pass_fds=(said,)) as daemon:
        os.close(said)
        # Long before one that merely idles would end.
        assert daemon.wait(timeout=20) == 0

    assert find_condition(lab.paths) is StackCondition.STOPPED
    wait_until(lambda: not lab.own_processes())
