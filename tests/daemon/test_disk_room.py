from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.disk_room import describe_full_disk
from prismctl.daemon.event_log import EventLog
from prismctl.daemon.monitor import Monitor
from prismctl.daemon.obstacles import find_obstacle
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.domain.plan import ServicePlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType
from prismctl.files.paths import Home
from prismctl.runtime.servers import data_check_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import StackLab

REDIS = ServicePlan(
    name=ServiceName("redis"),
    type=ServiceType.BACKEND,
    source="--with",
    driver="redis",
    runtime=Runtime.NATIVE,
    runtime_reason="",
    program="redis-server",
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "home"
    place.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place))
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(("umount", str(place)), check=True)


async def test_a_disk_that_is_full_while_a_stack_runs_is_a_note_of_its_status(
    small_disk: Path, tmp_path: Path
) -> None:
    monitor = Monitor(Home(small_disk).stack("default"), EventLog(tmp_path / "events"))
    monitor.take_usage(())
    assert monitor.refresh().notes == ()

    filler = small_disk / "filler"
    filler.write_bytes(bytes(3_500_000))
    monitor.take_usage(())
    (note,) = monitor.refresh().notes
    assert note.startswith(f"the disk of {small_disk} is full; services cannot write")

    filler.unlink()
    monitor.take_usage(())
    assert monitor.refresh().notes == ()
    monitor.close()


def test_a_disk_that_is_not_there_is_not_full(tmp_path: Path) -> None:
    assert describe_full_disk(tmp_path / "gone") == ""
    assert describe_full_disk(tmp_path) == ""


def test_a_server_that_a_full_disk_keeps_from_starting_has_exited_with_code_78(
    small_disk: Path,
) -> None:
    """The sentence that its guard writes down finds no room there, either."""
    paths = Home(small_disk).stack("default")
    data = paths.data_of(REDIS.name, 0)
    data.mkdir(parents=True)
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(1 << 12)) == 1 << 12:
            if os.statvfs(small_disk).f_bavail == 0:
                break

    guard = (sys.executable, "-I", "-S", data_check_here.__file__, str(data), "", "10", "")
    ended = subprocess.run((*guard, "/bin/true"), capture_output=True, check=False)
    assert ended.returncode == data_check_here.EXIT_REFUSED

    seen = InstanceObservation(
        key=InstanceKey(REDIS.name, 0), phase=Phase.FAILED, exit_code=ended.returncode
    )
    assert find_obstacle(seen, None, REDIS, paths).ending == describe_full_disk(paths.data)
    assert describe_full_disk(paths.data).startswith(f"the disk of {paths.data} is full")


def test_what_could_not_be_written_down_is_still_told_when_it_can_be(
    lab: StackLab, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.service("api"))
    state = lab.paths.state
    wait_until(state.exists)
    state.unlink()
    state.mkdir()

    def notes() -> list[str]:
        return [each for each in lab.client.status()["notes"] if "cannot write" in each]

    list(lab.client.restart(["api"]))
    wait_until(lambda: len(notes()) == 1)
    list(lab.client.restart(["api"]))
    assert len(notes()) == 1

    state.rmdir()
    wait_until(lambda: not notes() and state.is_file())
