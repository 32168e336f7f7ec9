"""A log that is read while its files are being moved aside: no line is lost, none comes twice, none is in a wrong place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from prismctl.files.log_line import LogLine, render_stamp
from prismctl.files.logs import LogFollower, find_logs, read_logs
from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from pathlib import Path

FILES = 5
PER_FILE = 3
STEPS = range(FILES + 1)
"""Before the first file is moved, after each, and with the last one's name still free."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of several files; what stands in them is numbered."""
    path = tmp_path / "web#0.log"
    for age in range(FILES):
        first = (FILES - 1 - age) * PER_FILE
        name(path, age).write_text("".join(entry(first + at) for at in range(PER_FILE)))
    return path


def entry(number: int) -> str:
    return f"{render_stamp(number + 1)} stdout F {number}\n"


def name(path: Path, age: int) -> Path:
    return path.with_name(path.name + (f".{age}" if age else ""))


def begin_rotation(path: Path, step: int) -> None:
    """Move that many files on by one name, the oldest first, as whoever writes them does."""
    for age in range(FILES - 1, FILES - 1 - step, -1):
        name(path, age).rename(name(path, age + 1))


def end_rotation(path: Path, step: int) -> None:
    for age in range(FILES - 1 - step, -1, -1):
        name(path, age).rename(name(path, age + 1))
    path.write_text(entry(FILES * PER_FILE))


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.text) for line in lines]


def read_all(follower: LogFollower) -> list[LogLine]:
    lines: list[LogLine] = []
    # Each look may end one file and begin the next.
    for _ in range(3 * FILES):
        lines += follower.read_new()
    return lines


@pytest.mark.parametrize("step", STEPS)
def test_files_in_the_middle_of_a_rotation_were_left_out_of_the_history(
    path: Path, step: int
) -> None:
    begin_rotation(path, step)

    whole = range(FILES * PER_FILE)
    assert numbers(list(read_logs(path.parent))) == list(whole)
    assert numbers(list(read_logs(path.parent, tail=7))) == list(whole[-7:])
    assert numbers(list(read_logs(path.parent, since=5.0))) == list(whole[4:])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("had", range(0, FILES * PER_FILE, 2))
def test_a_sequence_is_found_in_the_middle_of_a_rotation(path: Path, step: int, had: int) -> None:
    last = list(read_logs(path.parent))[had]
    begin_rotation(path, step)

    rest = read_logs(path.parent, after={"web#0": last.sequence})
    assert numbers(list(rest)) == list(range(had + 1, FILES * PER_FILE))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("behind", range(FILES))
def test_a_follower_that_is_behind_lost_the_files_that_a_rotation_had_not_reached(
    path: Path, step: int, behind: int
) -> None:
    with LogFollower([path]) as follower:
        seen = [line for _ in range(2 * behind + 1) for line in follower.read_new()]
        begin_rotation(path, step)
        seen += read_all(follower)
        end_rotation(path, step)
        seen += read_all(follower)

    assert numbers(seen) == list(range(FILES * PER_FILE + 1))


@pytest.mark.parametrize("step", STEPS)
def test_a_tail_that_is_skipped_to_in_the_middle_of_a_rotation_leaves_out_what_it_says(
    path: Path, step: int
) -> None:
    with LogFollower([path]) as follower:
        first = follower.read_new()
        begin_rotation(path, step)
        follower.skip_to_tail(4)
        told, *rest = read_all(follower)

    assert numbers(first) == [0, 1, 2]
    assert told.text.startswith("skipped 8 lines ")
    assert numbers(rest) == [11, 12, 13, 14]


def test_a_service_whose_current_file_is_being_replaced_had_no_log(path: Path) -> None:
    begin_rotation(path, FILES)

    assert find_logs(path.parent) == [path]
    assert find_logs(path.parent, ("web",)) == [path]


def test_a_reader_that_races_a_quick_writer_has_each_line_once(tmp_path: Path) -> None:
    path = tmp_path / "web#0.log"
    log = LogFile(str(path), max_bytes=2_000, max_files=30)
    count = 1_000

    def write() -> None:
        for number in range(count):
            log.write(entry(number).encode())

    writer = threading.Thread(target=write)
    seen: list[LogLine] = []
    with LogFollower([path]) as follower:
        writer.start()
        while writer.is_alive():
            seen += follower.read_new()
        seen += read_all(follower)
        while more := read_all(follower):
            seen += more
    writer.join()
    log.close()

    assert numbers(seen) == list(range(count))
