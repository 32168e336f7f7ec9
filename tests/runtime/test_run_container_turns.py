"""Two runs of one container after each other: the second begins only when nothing of the first is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.runtime import run_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")

PODMAN = """#!/bin/sh
case "$1" in
run) trap 'exit 0' TERM; echo run >> "$STORY"; while :; do sleep 0.05; done ;;
rm) echo removing >> "$STORY"; cat "$GATE" > /dev/null; echo removed >> "$STORY" ;;
esac
"""
"""Runs until it is told to end; a removal takes until somebody opens the gate."""


class Desk:
    """Starts runs of one container, and reads what became of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._story = directory / "story"
        self.gate = directory / "gate"
        os.mkfifo(self.gate)
        self.podman = directory / "podman"
        self.podman.write_text(PODMAN)
        self.podman.chmod(0o755)
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        places = (str(self._directory / "records"), str(self._directory / "data"))
        process = subprocess.Popen(
            (
                sys.executable,
                run_container.__file__,
                "podman",
                str(self.podman),
                "box",
                *places,
                "3",
                "0",
                "image",
            ),
            env={**os.environ, "STORY": str(self._story), "GATE": str(self.gate)},
        )
        self.started.append(process)
        return process

    def story(self) -> list[str]:
        return self._story.read_text().split() if self._story.exists() else []

    def open_gate(self) -> None:
        self.gate.write_bytes(b"")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    # From here on a removal takes no time.
    desk.podman.write_text(PODMAN.replace('cat "$GATE" > /dev/null', ":"))
    for process in desk.started:
        process.send_signal(signal.SIGTERM)
    for process in desk.started:
        process.wait(20)


def waits_for_a_lock(pid: int) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {pid} " in line for line in lines)


def test_a_container_that_is_being_removed_does_not_meet_its_successor(
    desk: Desk, wait_until: Callable[..., None]
) -> None:
    first = desk.start()
    wait_until(lambda: desk.story() == ["run"])
    first.send_signal(signal.SIGTERM)
    wait_until(lambda: desk.story() == ["run", "removing"])

    second = desk.start()
    wait_until(lambda: waits_for_a_lock(second.pid) or desk.story().count("run") > 1)
    desk.open_gate()

    wait_until(lambda: desk.story().count("run") > 1)
    assert desk.story() == ["run", "removing", "removed", "run"]
    second.send_signal(signal.SIGTERM)
    wait_until(lambda: desk.story()[-1] == "removing")
    desk.open_gate()
    assert (first.wait(20), second.wait(20)) == (0, 0)
