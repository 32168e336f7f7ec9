from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.files.service_data import BEGUN_SUFFIX, ServiceData
from prismctl.runtime import first_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> ServiceData:
    """A service with two instances, and one with none."""
    made = ServiceData(tmp_path / "data")
    for name in ("redis", "redis#1"):
        write(made, name, "old")
    write(made, "redis-cache", "other")
    return made


def write(data: ServiceData, place: str, text: str) -> None:
    directory = data.directory / place
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "file").write_text(text)


def read(data: ServiceData, place: str) -> str | None:
    try:
        return (data.directory / place / "file").read_text()
    except FileNotFoundError:
        return None


def snapshot(tmp_path: Path, text: str = "new") -> Path:
    source = tmp_path / "snapshots/one/redis"
    (source / "redis").mkdir(parents=True)
    (source / "redis/file").write_text(text)
    return source


def leftovers(data: ServiceData) -> list[str]:
    known = {".previous", ".kept", ".swap", ".trash"}
    strange = [path.name for path in data.directory.glob(".*") if path.name not in known]
    inside = [
        str(path) for name in (".swap", ".trash") for path in (data.directory / name).glob("*")
    ]
    return strange + inside


def test_a_reset_moves_all_instances_aside_and_nobody_elses(data: ServiceData) -> None:
    data.carry_out(data.prepare_empty("redis"))

    assert not data.has_data("redis")
    assert read(data, ".previous/redis/redis") == "old"
    assert read(data, ".previous/redis/redis#1") == "old"
    assert read(data, "redis-cache") == "other"
    assert leftovers(data) == []


def test_what_was_put_aside_and_what_is_there_change_places(data: ServiceData) -> None:
    data.carry_out(data.prepare_empty("redis"))
    write(data, "redis", "newer")

    data.carry_out(data.prepare_previous("redis", keeps=False))

    assert (read(data, "redis"), read(data, "redis#1")) == ("old", "old")
    assert read(data, ".previous/redis/redis") == "newer"
    assert read(data, ".previous/redis/redis#1") is None
    assert leftovers(data) == []


def test_putting_nothing_aside_keeps_what_was_put_aside_before(data: ServiceData) -> None:
    data.carry_out(data.prepare_empty("redis"))
    data.carry_out(data.prepare_empty("redis"))
    assert read(data, ".previous/redis/redis") == "old"


def test_restored_data_is_kept_until_a_start_has_taken_note(
    data: ServiceData, tmp_path: Path
) -> None:
    data.carry_out(data.prepare_copy("redis", snapshot(tmp_path), keeps=True))
    assert (read(data, "redis"), data.is_kept("redis")) == ("new", True)
    data.forget_kept()
    assert not data.is_kept("redis")
    data.carry_out(data.prepare_previous("redis", keeps=True))
    data.carry_out(data.prepare_empty("redis"))
    assert not data.is_kept("redis")


def test_data_whose_first_preparation_did_not_end_is_never_put_aside(data: ServiceData) -> None:
    mark = data.directory / f"redis{BEGUN_SUFFIX}"
    mark.touch()
    assert not data.is_whole("redis")

    data.carry_out(data.prepare_empty("redis"))

    assert not mark.exists()
    assert read(data, ".previous/redis/redis") is None
    assert read(data, ".previous/redis/redis#1") == "old"


def test_the_mark_is_the_one_that_services_make() -> None:
    assert BEGUN_SUFFIX == first_run.BEGUN_SUFFIX


def test_what_was_prepared_and_not_decided_is_gone_after_a_crash(
    data: ServiceData, tmp_path: Path
) -> None:
    data.prepare_copy("redis", snapshot(tmp_path), keeps=False)

    assert data.settle() == []

    assert read(data, "redis") == "old"
    assert leftovers(data) == []


@pytest.mark.parametrize("steps", range(12))
def test_a_decided_exchange_ends_the_same_wherever_it_was_interrupted(
    data: ServiceData, tmp_path: Path, steps: int
) -> None:
    write(data, ".previous/redis/redis", "older")
    exchange = data.prepare_copy("redis", snapshot(tmp_path), keeps=False)

    was_killed = kill_after(steps, lambda: data.carry_out(exchange))

    told = ServiceData(data.directory).settle()
    if (was_killed and read(data, "redis") == "old") or not was_killed:
        assert told == []
    if was_killed and steps == 0:
        assert read(data, "redis") == "old"
        assert read(data, ".previous/redis/redis") == "older"
        return
    assert (read(data, "redis"), read(data, "redis#1")) == ("new", None)
    assert read(data, ".previous/redis/redis") == "old"
    assert read(data, ".previous/redis/redis#1") == "old"
    assert leftovers(data) == []


@pytest.mark.parametrize("steps", range(12))
def test_a_return_to_what_was_put_aside_ends_the_same_wherever_it_was_interrupted(
    data: ServiceData, steps: int
) -> None:
    write(data, ".previous/redis/redis", "older")
    exchange = data.prepare_previous("redis", keeps=False)

    was_killed = kill_after(steps, lambda: data.carry_out(exchange))

    ServiceData(data.directory).settle()
    if was_killed and steps == 0:
        assert read(data, "redis") == "old"
        return
    assert (read(data, "redis"), read(data, "redis#1")) == ("older", None)
    assert read(data, ".previous/redis/redis") == "old"
    assert leftovers(data) == []


def kill_after(renames: int, work: Callable[[], None]) -> bool:
    """Do something in a process that is killed when it is about to rename once more; whether it was."""
    child = os.fork()
    if not child:
        import sys

        done = 0

        def watch(event: str, _: object) -> None:
            nonlocal done
            if event == "os.rename":
                if done == renames:
                    os.kill(os.getpid(), signal.SIGKILL)
                done += 1

        sys.addaudithook(watch)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)
