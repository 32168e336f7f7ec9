"""What services have stored: listed, emptied, copied and put back by the command, with and without a running stack."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.files.snapshots import MAX_SNAPSHOTS
from tests.desk import read_to_end, words

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import Home, StackPaths

CATALOG = """
core: false
services:
  - name: store
    command: [/bin/sh, -c, "echo $$$$ > mine; exec sleep 1000"]
    default: true
  - name: user
    command: [sleep, "1000"]
    depends_on: [store]
    default: true
"""


@pytest.fixture
def stored(home: Home) -> StackPaths:
    """A stopped stack with data of two services."""
    paths = home.stack("default")
    for service in ("redis", "postgres"):
        (paths.data / service).mkdir(parents=True)
        (paths.data / service / "file").write_text(f"{service} first")
    return paths


def read(paths: StackPaths, service: str = "redis") -> str | None:
    try:
        return (paths.data / service / "file").read_text()
    except FileNotFoundError:
        return None


def test_where_there_is_nothing_nothing_is_made_by_looking(prismctl: Any, home: Home) -> None:
    answer = prismctl("dev", "data", "list")
    assert answer.code == 0
    assert "no service of stack default has any data" in answer.out
    assert f"0 of {MAX_SNAPSHOTS} snapshots" in answer.out
    assert not home.directory.exists()


@pytest.mark.usefixtures("stored")
def test_data_is_listed_with_sizes_and_ages(prismctl: Any) -> None:
    prismctl("dev", "data", "snapshot", "redis", "--name", "one")
    prismctl("dev", "data", "reset", "redis")

    document = prismctl("dev", "data", "list", "-o", "json").document

    redis = next(each for each in document["services"] if each["name"] == "redis")
    assert redis["bytes"] == 0
    assert redis["previous"]["bytes"] > 0
    assert redis["previous"]["age_seconds"] < 60
    (snapshot,) = document["snapshots"]
    assert (snapshot["name"], [each["name"] for each in snapshot["services"]]) == ("one", ["redis"])
    assert document["max_snapshots"] == MAX_SNAPSHOTS
    table = prismctl("dev", "data", "list").out
    assert "postgres" in table
    assert "s ago" in table
    assert max(len(row) for row in table.splitlines()[:-1]) <= 80


@pytest.mark.usefixtures("stored")
def test_a_list_of_a_stopped_stack_says_what_the_next_start_does(prismctl: Any, home: Home) -> None:
    table = prismctl("dev", "data", "list").out
    assert table.count("empties it") == 2
    home.catalog.write_text("services:\n  - name: redis\n    persist: true\n")
    document = prismctl("dev", "data", "list", "-o", "json").document
    assert {each["name"]: each["persist"] for each in document["services"]} == {
        "redis": True,
        "postgres": None,
    }
    (home.directory / "config.yaml").write_text("persist: true\n")
    home.catalog.unlink()
    assert prismctl("dev", "data", "list").out.count("keeps it") == 2
    home.catalog.write_text("services: [oh\n")
    assert prismctl("dev", "data", "list").code == 0


@pytest.mark.usefixtures("stored")
def test_what_a_profile_says_about_a_service_counts_for_what_the_next_start_does(
    prismctl: Any, home: Home, tmp_path: Path
) -> None:
    home.profiles.mkdir(parents=True)
    (home.profiles / "team.yaml").write_text(
        "services: [redis, postgres]\nconfig:\n  redis: {persist: true}\n", encoding="utf-8"
    )
    (tmp_path / "work" / "prism.yaml").write_text(
        "stack: default\nprofile: team\n", encoding="utf-8"
    )
    assert persistence(prismctl) == {"redis": True, "postgres": False}


def test_a_project_has_its_say_about_data_of_a_stack_with_another_name(
    prismctl: Any, home: Home, tmp_path: Path
) -> None:
    (home.stack("two").data / "redis").mkdir(parents=True)
    (home.stack("two").data / "redis" / "file").write_text("first")
    (tmp_path / "work" / "prism.yaml").write_text(
        "stack: one\nsettings: {persist: true}\n", encoding="utf-8"
    )
    assert persistence(prismctl, "--stack", "two") == {"redis": True}


def persistence(prismctl: Any, *flags: str) -> dict[str, bool | None]:
    """What the list says that the next start keeps, by service."""
    document = prismctl("dev", "data", "list", "-o", "json", *flags).document
    return {each["name"]: each["persist"] for each in document["services"]}


def test_a_stopped_stack_is_emptied_and_filled_again(prismctl: Any, stored: StackPaths) -> None:
    answer = prismctl("dev", "data", "reset", "redis")
    assert (answer.code, read(stored)) == (0, None)
    assert answer.out.startswith("redis starts without data, in 0.")
    assert "`prismctl dev data restore redis --previous` undoes that" in answer.out

    answer = prismctl("dev", "data", "restore", "--previous", "-o", "json")
    assert (answer.code, read(stored)) == (0, "redis first")
    assert answer.document["services"][0]["name"] == "redis"
    assert prismctl("dev", "data", "list", "-o", "json").document["services"][1]["persist"] is True


def test_a_snapshot_brings_back_what_was_there(prismctl: Any, stored: StackPaths) -> None:
    taken = prismctl("dev", "data", "snapshot", "-o", "json").document
    assert {each["name"] for each in taken["services"]} == {"redis", "postgres"}
    (stored.data / "redis/file").write_text("second")
    (stored.data / "postgres/file").write_text("second")

    prismctl("dev", "data", "restore", "redis", "--name", taken["snapshot"])

    assert (read(stored), read(stored, "postgres")) == ("redis first", "second")
    assert prismctl("dev", "data", "restore").code == 0
    assert read(stored, "postgres") == "postgres first"


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (["reset"], 2, "SERVICE"),
        (["reset", "rediss"], 2, "did you mean `redis`?"),
        (["restore", "--name", "x", "--previous"], 2, "two different things"),
        (["restore", "--name", "nope"], 5, "has no snapshot `nope`"),
        (["restore"], 5, "has no snapshot"),
        (["restore", "--previous"], 5, "nothing was put aside of any service"),
        (["snapshot", "--name", "../up"], 2, "cannot be the name of a snapshot"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_touched(
    prismctl: Any, stored: StackPaths, typed: list[str], code: int, said: str
) -> None:
    answer = prismctl("dev", "data", *typed)
    assert answer.code == code
    assert said in answer.err
    assert read(stored) == "redis first"


@pytest.mark.usefixtures("stored")
def test_a_name_given_as_a_service_is_told_where_it_belongs(prismctl: Any) -> None:
    prismctl("dev", "data", "snapshot", "--name", "seeded")

    answer = prismctl("dev", "data", "snapshot", "seeded")

    assert answer.code == 2
    assert "unknown service `seeded`" in answer.err
    assert "is said with `--name seeded`" in answer.err


def test_known_services_are_told_in_order(prismctl: Any, stored: StackPaths) -> None:
    for name in ("zeta", "beta", "alpha", "delta"):
        (stored.data / name).mkdir()

    answer = prismctl("dev", "data", "snapshot", "one")

    assert "known: alpha, beta, delta, postgres, redis, zeta" in answer.err


@pytest.mark.usefixtures("stored")
def test_replacing_a_snapshot_has_to_be_confirmed(prismctl: Any) -> None:
    prismctl("dev", "data", "snapshot", "--name", "one")
    answer = prismctl("dev", "data", "snapshot", "--name", "one")
    assert answer.code == 2
    assert "snapshot `one` is replaced: here nobody can be asked" in answer.err
    assert prismctl("dev", "data", "snapshot", "--name", "one", "--yes").code == 0


@pytest.mark.usefixtures("stored")
def test_one_snapshot_too_many_asks_about_the_oldest(prismctl: Any) -> None:
    for number in range(MAX_SNAPSHOTS):
        assert prismctl("dev", "data", "snapshot", "redis", "--name", f"s{number}").code == 0
    answer = prismctl("dev", "data", "snapshot")
    assert answer.code == 2
    assert f"there are {MAX_SNAPSHOTS} snapshots, the most: `s0`" in answer.err

    answer = prismctl("dev", "data", "snapshot", "--yes")

    assert answer.code == 0
    assert "removed snapshot `s0`" in answer.out


def test_a_stack_that_was_killed_is_left_alone(prismctl: Any, stored: StackPaths) -> None:
    stored.plan.write_text("{}")
    for typed in (["reset", "redis"], ["restore", "--previous"], ["snapshot"]):
        answer = prismctl("dev", "data", *typed)
        assert answer.code == 5
        assert "ended without being stopped" in answer.err
        assert "`prismctl dev stop` clears up" in answer.err
    assert read(stored) == "redis first"
    assert prismctl("dev", "data", "list").code == 0


def test_a_stack_that_another_process_holds_is_left_alone(
    prismctl: Any, stored: StackPaths
) -> None:
    descriptor = os.open(stored.daemon_lock, os.O_RDWR | os.O_CREAT)
    try:
        os.write(descriptor, b"PID 1, prismctl dev data snapshot\n")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        answer = prismctl("dev", "data", "reset", "redis")
    finally:
        os.close(descriptor)
    assert answer.code == 5
    assert "PID 1, prismctl dev data snapshot holds stack `default`" in answer.err
    assert read(stored) == "redis first"


def test_an_exchange_that_was_interrupted_is_finished_and_told(
    prismctl: Any, stored: StackPaths
) -> None:
    decided = stored.data / ".swap/redis"
    (decided / "new/redis").mkdir(parents=True)
    (decided / "new/redis/file").write_text("new")
    (decided / "what").write_text("restore of redis from snapshot one")

    answer = prismctl("dev", "data", "list")

    assert "finished the interrupted restore of redis from snapshot one" in answer.out
    assert read(stored) == "new"
    assert "interrupted" not in prismctl("dev", "data", "list").out


@pytest.mark.parametrize(
    ("typed", "done"),
    [
        (["snapshot", "redis"], "copies its data"),
        (["reset", "redis"], "puts its data aside"),
        (["restore", "redis", "--previous"], "brings back what was put aside"),
    ],
)
@pytest.mark.usefixtures("stored")
def test_a_running_service_is_not_stopped_on_a_pipe_without_yes(
    prismctl: Any, daemon: Any, make_service: Any, typed: list[str], done: str
) -> None:
    daemon.status["services"].append(make_service("app", depends_on=["redis"]))
    answer = prismctl("dev", "data", *typed)
    assert answer.code == 2
    assert f"this stops redis, {done} and starts it again" in answer.err
    assert "add --yes" in answer.err
    assert "app depends on that and runs on without it for a moment" in answer.err
    assert not [path for _, path, _ in daemon.requests if path.startswith("/v1/data")]


@pytest.mark.usefixtures("stored")
def test_what_is_asked_of_the_daemon_is_what_was_typed(prismctl: Any, daemon: Any) -> None:
    data = {"services": {"redis": 1}, "snapshot": "one", "removed": [], "restarted": ["redis"]}
    result = {"outcome": "ready", "failed": [], "skipped": [], "status": daemon.status}
    daemon.operation = [{"result": {**result, "data": data}}]

    answer = prismctl("dev", "data", "snapshot", "redis", "--name", "one", "--yes", "-o", "json")

    assert answer.code == 0
    assert answer.document["services"] == [{"name": "redis", "bytes": 1, "restarted": True}]
    assert daemon.requests[-1][1:] == (
        "/v1/data/snapshot",
        {"services": ["redis"], "name": "one", "replaces": False, "removes": []},
    )
    prismctl("dev", "data", "reset", "redis", "--yes")
    assert daemon.requests[-1][1:] == ("/v1/data/reset", {"services": ["redis"]})


@pytest.mark.usefixtures("stored")
def test_a_service_that_does_not_come_back_in_time_is_named(
    prismctl: Any, daemon: Any, make_status: Any, make_service: Any
) -> None:
    daemon.status = make_status(
        make_service("redis", "starting", reason="connection refused"), state="starting"
    )
    answer = prismctl("dev", "data", "reset", "redis", "--yes", "--wait-timeout", "0.05")
    assert answer.code == 6
    assert "redis was not ready within 0.05 s: connection refused" in answer.err


def test_a_terminal_is_asked_before_anything_stops(desk: Any) -> None:
    desk.pipe(*desk.start(CATALOG))
    mine = desk.lab.paths.data / "store/mine"
    before = mine.read_text()

    child = desk.terminal(["dev", "data", "snapshot", "store"])
    child.expect("leave everything as it is")
    child.send("n")
    assert "nothing was touched" in words(read_to_end(child))
    assert child.exitstatus == 1
    assert mine.read_text() == before

    child = desk.terminal(["dev", "data", "snapshot", "store", "--name", "one"])
    child.expect("user depends on that and runs on without it")
    child.expect("leave everything as it is")
    child.send("y")
    assert "saved store" in words(read_to_end(child))
    assert child.exitstatus == 0
    assert mine.read_text() != before


def test_services_and_snapshots_are_completed(stored: StackPaths, prismctl: Any) -> None:
    prismctl("dev", "data", "snapshot", "redis", "--name", "before-migration")
    prismctl("dev", "data", "reset", "redis")

    assert complete(stored, "prismctl dev data reset ") == {"redis", "postgres"}
    assert complete(stored, "prismctl dev data reset redis p") == {"postgres"}
    assert complete(stored, "prismctl dev data restore --name b") == {"before-migration"}
    assert complete(stored, "prismctl dev data restore --previous ") == {"redis"}


def complete(paths: StackPaths, typed: str) -> set[str]:
    """What the tab key offers."""
    done = subprocess.run(
        [sys.executable, "-m", "prismctl"],
        env={
            "PATH": os.environ["PATH"],
            "PRISM_HOME": str(paths.directory.parent.parent),
            "HOME": "/nowhere",
            "_PRISMCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - (not typed.endswith(" "))),
        },
        cwd=paths.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_a_start_in_a_terminal_says_whose_data_is_fresh_and_whose_was_kept(desk: Any) -> None:
    lasting = CATALOG.replace(
        "  - name: user",
        '  - name: lasting\n    persist: true\n    default: true\n    command: [/bin/sh, -c, "echo > mine; exec sleep 1000"]\n  - name: user',
    )
    desk.pipe(*desk.start(lasting))
    desk.pipe("dev", "stop")

    shown = words(read_to_end(desk.terminal(desk.start(lasting))))

    assert (
        "store starts empty; `prismctl dev data restore --previous` brings the last data back"
        in shown
    )
    assert "lasting kept its data" in shown
