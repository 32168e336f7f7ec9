from __future__ import annotations

import errno
import os
from itertools import pairwise
from typing import TYPE_CHECKING

from prismctl.files.log_line import SKIPPED
from prismctl.files.logs import LogFollower, read_logs
from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from prismctl.files.log_line import LogLine


def entry(number: int) -> bytes:
    return b"2026-01-02T03:%02d:%02d.000000000Z stdout F line %d\n" % (
        number // 60 % 60,
        number % 60,
        number,
    )


def write(path: Path, numbers: range, *, max_bytes: int = 1000, max_files: int = 100) -> LogFile:
    log = LogFile(str(path), max_bytes=max_bytes, max_files=max_files)
    for number in numbers:
        log.write(entry(number))
    return log


def numbers(lines: Iterable[LogLine]) -> list[int]:
    return [int(line.text.split()[1]) for line in lines if line.stream != SKIPPED]


def follow_while_it_grows(path: Path, log: LogFile, grows: range) -> list[int]:
    """What a reader sees that looks once, and then only after much more was written."""
    with LogFollower([path]) as follower:
        seen = numbers(follower.read_history())
        for number in grows:
            log.write(entry(number))
        return seen + numbers(follower.read_history())


def test_a_reader_loses_nothing_over_several_rotations_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(5))
    assert follow_while_it_grows(path, log, range(5, 100)) == list(range(100))
    log.close()


def test_a_reader_that_fell_behind_goes_on_with_the_oldest_that_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(5), max_files=3)
    seen = follow_while_it_grows(path, log, range(5, 200))
    # What it held open it reads to the end, although nobody else can any more.
    gap = next(n for n, (a, b) in enumerate(pairwise(seen)) if b != a + 1)
    assert seen[: gap + 1] == list(range(gap + 1))
    assert seen[gap + 1 :] == list(range(seen[gap + 1], 200))
    log.close()


def test_an_emptied_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(10))
    with LogFollower([path]) as follower:
        assert numbers(follower.read_history()) == list(range(10))
        path.write_bytes(b"")
        log.write(entry(77))
        assert numbers(line for _ in range(2) for line in follower.read_new()) == [77]
    log.close()


def test_a_writer_that_was_killed_in_a_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(entry(0) + b"2026-01-02T03:00")
    write(path, range(1, 2)).close()
    assert path.read_bytes() == entry(0) + b"2026-01-02T03:00\n" + entry(1)


def test_a_device_is_written_to_and_not_moved_aside() -> None:
    log = LogFile("/dev/full", max_bytes=10, max_files=3)
    log.write(entry(0) + entry(1))
    assert (log.lost_lines, log.is_losing) == (2, True)
    log.close()


def test_one_file_only_is_begun_again(tmp_path: Path) -> None:
    write(tmp_path / "a.log", range(100), max_files=1).close()
    assert {path.name for path in tmp_path.iterdir()} == {"a.log"}
    assert numbers(read_logs(tmp_path, ["a"], tail=1)) == [99]


def test_a_disk_that_fills_within_a_line_leaves_only_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = os.write, [len(entry(0)) + 10]

    def write_until_full(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = real(descriptor, data[: room[0]])
        room[0] -= count
        return count

    path = tmp_path / "a.log"
    log = LogFile(str(path), max_bytes=1 << 20, max_files=2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write_until_full)
        log.write(entry(0) + entry(1) + entry(2))
    assert (log.lost_lines, log.is_losing) == (2, True)
    log.write(entry(3))
    assert (log.lost_lines, log.is_losing) == (2, False)
    assert path.read_bytes() == entry(0) + entry(3)
    log.close()
