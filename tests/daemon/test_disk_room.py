from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.disk_room import describe_full_disk
from prismctl.daemon.event_log import EventLog
from prismctl.daemon.monitor import Monitor
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
