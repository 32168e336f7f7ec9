from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from prismctl.domain.past_starts import Part
from prismctl.domain.plan import plan_to_json
from prismctl.files.history import load_starts
from prismctl.files.paths import Home
from tests.conftest import collect, wait_until

if TYPE_CHECKING:
    from prismctl.domain.past_starts import PastStart
    from tests.conftest import StackLab


def starts_of(lab: StackLab) -> tuple[PastStart, ...]:
    return load_starts(Home(lab.home))


def recorded(lab: StackLab, count: int = 1) -> tuple[PastStart, ...]:
    wait_until(lambda: len(starts_of(lab)) >= count, lambda: f"{starts_of(lab)}")
    return starts_of(lab)


def test_a_start_that_came_up_is_written_down(lab: StackLab) -> None:
    lab.start()
    plan = lab.plan(lab.http("base"), lab.http("top", needs=("base",)))
    began_at = time.time()
    result = collect(lab.client.apply(plan_to_json(plan), began_at))[1]

    (start,) = recorded(lab)

    assert start.started_at == began_at
    assert (start.stack, start.engine, start.origin) == ("default", "local", "test")
    assert round(start.ready_seconds, 3) == result["status"]["ready_seconds"]
    assert start.parts == {Part("base", "native"), Part("top", "native")}
    assert not start.is_cold
    assert not start.has_pulled
    chain = start.lead_seconds + sum(each.seconds for each in start.services)
    assert abs(chain - start.ready_seconds) < 0.1
    assert all(each.seconds > 0 for each in start.services)


def test_what_services_used_is_known_once_they_are_stopped(lab: StackLab) -> None:
    lab.start_with(lab.http("web"))
    list(lab.client.stop())
    (start,) = starts_of(lab)
    (web,) = start.services
    assert web.memory_bytes is not None
    assert 1 << 20 < web.memory_bytes < 200 << 20


def test_a_start_is_written_down_before_its_stop_is_told(lab: StackLab) -> None:
    for count in range(1, 4):
        lab.start_with(lab.service("a"))
        list(lab.client.stop())
        assert len(starts_of(lab)) == count


def test_a_change_of_a_stack_that_runs_is_no_start(lab: StackLab) -> None:
    base = lab.http("base")
    lab.start()
    lab.apply(lab.plan(base))
    recorded(lab)
    lab.apply(lab.plan(base, lab.http("more")))
    list(lab.client.stop())
    (start,) = starts_of(lab)
    assert start.parts == {Part("base", "native")}


def test_a_start_in_which_something_failed_is_not_written_down(lab: StackLab) -> None:
    lab.start_with(lab.shell("bad", "exit 3"), lab.service("good"))
    list(lab.client.stop())
    assert starts_of(lab) == ()


def test_data_that_a_start_found_makes_it_another_start(lab: StackLab) -> None:
    script = "touch kept; exec sleep 1000"
    for _ in range(2):
        lab.start_with(lab.shell("store", script, persist=True))
        list(lab.client.stop())
    later, first = starts_of(lab)
    assert first.parts == {Part("store", "native", 1, False)}
    assert later.parts == {Part("store", "native", 1, True)}


def daemon_log(lab: StackLab) -> str:
    return lab.paths.daemon_log.read_text(encoding="utf-8")


def test_a_damaged_history_is_put_aside_and_the_log_says_so(lab: StackLab) -> None:
    home = Home(lab.home)
    home.directory.mkdir()
    home.history.write_bytes(b"no database at all" * 100)
    lab.start_with(lab.service("a"))
    wait_until(lambda: "was damaged" in daemon_log(lab), lambda: daemon_log(lab))
    assert len(starts_of(lab)) == 1
    assert home.damaged_history.exists()


def test_a_history_that_cannot_be_written_disturbs_nobody(lab: StackLab) -> None:
    home = Home(lab.home)
    # Not even root can write a directory as a file.
    home.history.mkdir(parents=True)
    status = lab.start_with(lab.service("a"))
    assert status["state"] == "running"
    wait_until(lambda: f"cannot write {home.history}" in daemon_log(lab), lambda: daemon_log(lab))
    assert lab.client.status()["state"] == "running"
    items = list(lab.client.stop())
    assert items[-1]["result"]["outcome"] == "stopped"
    assert items[-1]["result"]["notes"] == []


def test_a_history_that_somebody_holds_keeps_no_stop_waiting(lab: StackLab) -> None:
    home = Home(lab.home)
    home.directory.mkdir()
    holder = sqlite3.connect(home.history, isolation_level=None)
    try:
        holder.execute("CREATE TABLE mine (word TEXT)")
        holder.execute("BEGIN EXCLUSIVE")
        lab.start_with(lab.service("a"))
        began = time.monotonic()
        list(lab.client.stop())
        assert time.monotonic() - began < 10
    finally:
        holder.close()
    wait_until(lambda: not lab.own_processes())
    assert starts_of(lab) == ()


def test_the_daemon_answers_while_the_history_is_held(lab: StackLab) -> None:
    home = Home(lab.home)
    home.directory.mkdir()
    holder = sqlite3.connect(home.history, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        lab.start_with(lab.python("a", "import time; time.sleep(1000)"))
        wait_until(lambda: "locked" in daemon_log(lab), lambda: str(lab.client.status()))
    finally:
        holder.close()
    assert lab.client.status()["state"] == "running"
