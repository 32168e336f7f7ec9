"""Whoever is killed in the middle of a change of data: what is there is whole, and the next command says what it is."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.client import start_daemon
from prismctl.errors import PrismError
from prismctl.files.snapshots import Snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import StackLab

FILES = 150
LONGEST_SECONDS = 0.35
"""Longer than any of the changes here takes."""


def write_all(directory: Path, generation: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        (directory / f"{number:03d}").write_text(generation * 2000)


def read_all(directory: Path) -> str:
    """The one generation that all files are of; they are all there, or none is."""
    texts = [path.read_text() for path in sorted(directory.iterdir())] if directory.exists() else []
    assert len(texts) in {0, FILES}, f"{len(texts)} files in {directory}"
    assert all(len(text) == 2000 for text in texts)
    generations = {text[0] for text in texts}
    assert len(generations) <= 1, generations
    return generations.pop() if generations else ""


@pytest.fixture
def stored(lab: StackLab) -> StackLab:
    """A stack whose service has generation B, a snapshot of generation A, and generation P put aside."""
    lab.start_with(lab.service("store"), lab.service("user", needs=("store",)))
    place = lab.paths.data / "store"
    write_all(place, "P")
    list(lab.client.reset_data(["store"]))
    write_all(place, "A")
    list(lab.client.take_snapshot(["store"], name="a"))
    write_all(place, "B")
    return lab


def choose_moment(seed: str, first: float = 0.0, last: float = LONGEST_SECONDS) -> float:
    """In seconds from the beginning of a change; the same for every run of a test."""
    return random.Random(seed).uniform(first, last)  # noqa: S311 - a moment, not a secret


def verify(lab: StackLab, generations: set[str], previous: set[str]) -> None:
    """Both are whole, each of one generation, and none that is worth keeping is lost."""
    place = lab.paths.data
    now, aside = read_all(place / "store"), read_all(place / ".previous/store/store")
    assert now in generations
    assert aside in previous
    for each in Snapshots(lab.paths.snapshots).list_all():
        assert read_all(each.data("store") / "store") in {"A", "B"}
    saved = Snapshots(lab.paths.snapshots).find("a")
    assert saved is not None
    assert read_all(saved.data("store") / "store") == "A"


def changes(lab: StackLab) -> dict[str, tuple[Iterator[object], set[str], set[str]]]:
    client = lab.client
    return {
        "restore": (client.restore_data(["store"], name="a"), {"A", "B"}, {"P", "B"}),
        "previous": (client.restore_data(["store"], is_previous=True), {"P", "B"}, {"P", "B"}),
        "snapshot": (client.take_snapshot(["store"], name="b"), {"B"}, {"P"}),
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("action", ["restore", "previous", "snapshot"])
def test_a_daemon_killed_in_the_middle_leaves_whole_data(
    stored: StackLab, action: str, seed: int
) -> None:
    stream, generations, previous = changes(stored)[action]
    daemon = stored.daemon_pid()
    delay = choose_moment(f"{action}{seed}")
    killer = threading.Timer(delay, os.kill, (daemon, signal.SIGKILL))
    killer.start()
    with contextlib.suppress(PrismError):
        for _ in stream:
            pass
    killer.join()

    # The keeper starts another one, which carries out what was decided before it starts anything.
    for name in ("store", "user"):
        stored.wait_for_service(name, lambda service: service["state"] == "healthy")

    verify(stored, generations, previous)
    strange = [path.name for path in stored.paths.data.glob(".staging*")]
    strange += [path.name for path in stored.paths.snapshots.glob(".ta*")]
    assert strange == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("action", ["restore", "snapshot"])
def test_keeper_and_daemon_killed_in_the_middle_leave_whole_data(
    stored: StackLab, wait_until: Callable[..., None], action: str, seed: int
) -> None:
    stream, generations, previous = changes(stored)[action]
    victims = (stored.keeper_pid(), stored.daemon_pid())
    delay = choose_moment(f"both {action}{seed}")

    def kill() -> None:
        for pid in victims:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Timer(delay, kill)
    killer.start()
    with contextlib.suppress(PrismError):
        for _ in stream:
            pass
    killer.join()
    wait_until(lambda: not stored.own_processes())

    start_daemon(stored.paths, "local").wait()

    verify(stored, generations, previous)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("words", "generations", "previous"),
    [
        (["restore", "store", "--name", "a"], {"A", "B"}, {"P", "B"}),
        (["restore", "store", "--previous"], {"P", "B"}, {"P", "B"}),
        (["snapshot", "store", "--name", "b"], {"B"}, {"P"}),
        (["reset", "store"], {"", "B"}, {"P", "B"}),
    ],
)
def test_a_command_killed_in_the_middle_leaves_whole_data(
    stored: StackLab,
    words: list[str],
    generations: set[str],
    previous: set[str],
    seed: int,
) -> None:
    list(stored.client.stop())
    environment = {"PATH": os.environ["PATH"], "PRISM_HOME": str(stored.home), "HOME": "/nowhere"}
    command = [sys.executable, "-m", "prismctl", "dev", "data"]
    child = subprocess.Popen(
        [*command, *words],
        env=environment,
        cwd=stored.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    # From its very beginning to beyond its end.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(choose_moment(f"{words}{seed}", 0.1, 0.8))
    child.kill()
    child.communicate()

    listed = subprocess.run(
        [*command, "list", "-o", "json"],
        env=environment,
        cwd=stored.home,
        capture_output=True,
        check=True,
    )

    document = json.loads(listed.stdout)
    verify(stored, generations, previous)
    now = read_all(stored.paths.data / "store")
    told = {each["name"] for each in document["services"] if each["bytes"]}
    assert told == ({"store"} if now else set())
    assert not list(stored.paths.data.glob(".staging*"))
    assert not list((stored.paths.data / ".swap").glob("*"))
