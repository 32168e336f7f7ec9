"""A control group that holds processes, as pausing a container does."""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = Path("/sys/fs/cgroup/freezer")


class Group:
    """A control group, and one below it in which processes are put."""

    def __init__(self) -> None:
        self.outer = PLACE / f"prism-test-{uuid.uuid4().hex[:8]}"
        self.inner = self.outer / "inner"
        self.inner.mkdir(parents=True)

    def put(self, pid: int) -> None:
        (self.inner / "cgroup.procs").write_text(str(pid))

    def hold(self, group: Path) -> None:
        (group / "freezer.state").write_text("FROZEN")

    def let_go(self) -> None:
        for group in (self.outer, self.inner):
            (group / "freezer.state").write_text("THAWED")


@contextlib.contextmanager
def control_group() -> Iterator[Group]:
    """Groups of one test; what is in them when it is over is ended."""
    try:
        made = Group()
    except OSError as error:
        pytest.skip(f"no freezer that this user may use: {error.strerror}")
    yield made
    made.let_go()
    for pid in map(int, (made.inner / "cgroup.procs").read_text().split()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    made.inner.rmdir()
    made.outer.rmdir()
