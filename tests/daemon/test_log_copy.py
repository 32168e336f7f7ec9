from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from prismctl.daemon import log_copy
from prismctl.daemon.log_copy import LogCopy
from prismctl.domain.redaction import Redactor
from prismctl.files.log_line import render_stamp
from prismctl.files.paths import Home
from tests.small_disk import open_small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prismctl.files.paths import StackPaths

LATER = 4_000_000_000.0
"""After every test has begun, so that nothing of it is too old to be copied."""


class Place:
    """A stack's logs, and a copy of them."""

    def __init__(self, paths: StackPaths, target: Path) -> None:
        self.paths = paths
        self.target = target
        self.problems: list[str] = []
        self.redactor = Redactor()
        self._count = 0

    def print(self, service: str, *texts: str) -> None:
        self.paths.logs.mkdir(parents=True, exist_ok=True)
        with self.paths.log(service).open("a") as file:
            for text in texts:
                self._count += 1
                file.write(f"{render_stamp(LATER + self._count)} stdout F {text}\n")

    def copy(self, target: Path | None = None) -> LogCopy:
        return LogCopy(
            self.paths,
            str(target or self.target),
            redactor=self.redactor,
            show_problem=self.problems.append,
        )

    async def copy_all(self, *, is_resumed: bool = False) -> None:
        made = self.copy()
        made.finish()
        await made.run(is_resumed=is_resumed)

    def copied(self) -> list[str]:
        """What stands in the file, without times."""
        lines = self.target.read_text().splitlines()
        return [line.partition(" ")[2] for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Home(tmp_path / "home").stack("default"), tmp_path / "all.log")


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - files notify nobody
            await asyncio.sleep(0.005)


async def test_everything_is_copied_in_order_of_time_and_says_whose_it_is(place: Place) -> None:
    place.print("web#0", "one")
    place.print("web#1", "two")
    place.print("redis#0", "three")

    await place.copy_all()

    assert place.copied() == ["web one", "web#1 two", "redis three"]


async def test_secrets_are_not_copied(place: Place) -> None:
    place.redactor.adopt(["s3cret!"])
    place.print("web#0", "password s3cret!")
    await place.copy_all()
    assert place.copied() == ["web password •••"]


async def test_the_next_daemon_goes_on_where_this_one_ended(place: Place) -> None:
    place.print("web#0", "one")
    await place.copy_all()
    place.print("web#0", "two")
    place.print("late#0", "three")

    await place.copy_all(is_resumed=True)

    assert place.copied() == ["web one", "web two", "late three"]


async def test_a_kill_after_writing_and_before_noting_it_doubles_nothing(place: Place) -> None:
    place.print("web#0", "one")
    await place.copy_all()
    place.print("web#0", "two")
    with place.target.open("a") as file:
        file.write("2096-10-02T07:06:42.000000000Z web two\n2096-10-02T07:0")

    await place.copy_all(is_resumed=True)

    assert place.copied() == ["web one", "web two"]


async def test_a_first_copy_leaves_what_is_in_the_file_already(place: Place) -> None:
    place.target.write_text("from before\n")
    place.print("web#0", "one")
    await place.copy_all()
    assert place.copied() == ["before", "web one"]


async def test_the_file_is_moved_aside_when_it_is_large_and_only_so_many_are_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_copy, "MAX_COPY_BYTES", 1000)
    place.print("web#0", *(f"line {number}" for number in range(500)))

    await place.copy_all()

    files = sorted(place.target.parent.glob("all.log*"))
    assert len(files) == log_copy.MAX_COPY_FILES
    assert all(file.stat().st_size <= 1000 for file in files)
    assert place.copied()[-1] == "web line 499"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with open_small_disk() as path:
        yield path


async def test_a_full_disk_holds_the_copy_up_and_nothing_is_lost(
    place: Place, small_disk: Path
) -> None:
    place.target = small_disk / "all.log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 48 * 1024)
    texts = [f"line {number}" for number in range(1000)]
    place.print("web#0", *texts)
    copy = place.copy()
    running = asyncio.ensure_future(copy.run(is_resumed=False))

    await until(lambda: bool(place.problems))
    ballast.unlink()
    await until(lambda: place.problems[-1] == "")
    copy.finish()
    await running

    assert place.copied() == [f"web {text}" for text in texts]
    assert len(place.problems) == 2
    assert "no space left on device" in place.problems[0]
    assert str(place.target) in place.problems[0]


async def test_a_pipe_that_nobody_reads_does_not_hold_up_the_end(place: Place) -> None:
    os.mkfifo(place.target)
    place.print("web#0", "one")
    async with asyncio.timeout(20):
        await place.copy_all()
    assert "cannot be written" in place.problems[0]


async def test_giving_a_copy_up_waits_until_its_file_is_let_go(place: Place) -> None:
    running = asyncio.ensure_future(place.copy().run(is_resumed=False))
    place.print("web#0", "one")
    await until(lambda: place.target.exists() and bool(place.copied()))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    place.print("web#0", "two")

    await place.copy_all(is_resumed=True)

    assert place.copied() == ["web one", "web two"]
