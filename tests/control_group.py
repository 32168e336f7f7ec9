"""A control group that holds processes, as pausing a container does."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FREEZER = Path("/sys/fs/cgroup/freezer")
REMOVE_SECONDS = 10.0
UNIFIED = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


class Group:
    """A control group, and one below it in which processes are put."""

    def __init__(self, version: int) -> None:
        place = FREEZER if version == 1 else next(each for each in UNIFIED if is_unified(each))
        self.outer = place / f"prism-test-{uuid.uuid4().hex[:8]}"
        self.inner = self.outer / "inner"
        self._switch, self._words = (
            ("freezer.state", ("THAWED", "FROZEN"))
            if version == 1
            else ("cgroup.freeze", ("0", "1"))
        )
        self.outer.mkdir()
        self.inner.mkdir()

    def put(self, pid: int) -> None:
        (self.inner / "cgroup.procs").write_text(str(pid))

    def hold(self, group: Path) -> None:
        (group / self._switch).write_text(self._words[1])

    def remove(self) -> None:
        """End what is in it, and take it away."""
        self.let_go()
        for pid in map(int, (self.inner / "cgroup.procs").read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + REMOVE_SECONDS
        for group in (self.inner, self.outer):
            while group.exists():
                # It is busy until the dead are gone, and nothing tells when that is.
                try:
                    group.rmdir()
                except OSError:
                    assert time.monotonic() < deadline, f"{group} stays busy"
                    time.sleep(0.01)

    def let_go(self) -> None:
        for group in (self.outer, self.inner):
            (group / self._switch).write_text(self._words[0])


def is_unified(place: Path) -> bool:
    return (place / "cgroup.controllers").exists()


@contextlib.contextmanager
def control_group(version: int = 1) -> Iterator[Group]:
    """Groups of one test; what is in them when it is over is ended."""
    try:
        made = Group(version)
    except (OSError, StopIteration) as error:
        pytest.skip(f"no control group of version {version} that this user may use: {error}")
    try:
        yield made
    finally:
        made.remove()
