from __future__ import annotations

import errno
import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from prismctl.keeper.logfile import LogLine, LogReader, find_tail, find_time, parse_line, read_tail
from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from pathlib import Path


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


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.text.split()[1]) for line in lines]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            b"2026-01-02T03:04:05.678901234Z stderr P a b \xff\r\n",
            LogLine("2026-01-02T03:04:05.678901234Z", "stderr", True, "a b \ufffd\r"),
        ),
        (
            b"2026-01-02T03:04:05.678901234Z stdout F ",
            LogLine("2026-01-02T03:04:05.678901234Z", "stdout", False, ""),
        ),
        (b"torn", LogLine("", "stdout", False, "torn")),
        (b"a b c d\n", LogLine("", "stdout", False, "a b c d")),
        (b"", LogLine("", "stdout", False, "")),
    ],
)
def test_lines_are_parsed(line: bytes, expected: LogLine) -> None:
    assert parse_line(line) == expected


@pytest.mark.parametrize("wanted", [0, 1, 2, 17, 18, 19, 50, 99, 100, 1000])
def test_the_last_lines_come_from_as_many_files_as_it_takes(tmp_path: Path, wanted: int) -> None:
    write(tmp_path / "a.log", range(100)).close()
    assert (tmp_path / "a.log.3").exists()
    assert (
        numbers(read_tail(tmp_path / "a.log", wanted)) == list(range(100))[max(0, 100 - wanted) :]
    )


def test_the_last_lines_of_a_large_file_are_found_from_its_end(tmp_path: Path) -> None:
    write(tmp_path / "a.log", range(20_000), max_bytes=1 << 30).close()
    assert numbers(read_tail(tmp_path / "a.log", 5000)) == list(range(15_000, 20_000))


def test_the_last_lines_take_no_more_memory_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prismctl.keeper.logfile.MAX_TAIL_BYTES", 500)
    write(tmp_path / "a.log", range(100), max_bytes=1 << 20).close()
    assert numbers(read_tail(tmp_path / "a.log", 50)) == list(range(90, 100))


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert read_tail(tmp_path / "none.log", 5) == []
    with LogReader(tmp_path / "none.log") as reader:
        assert reader.read_new() == []
        write(tmp_path / "none.log", range(2)).close()
        assert numbers(reader.read_new()) == [0, 1]


def test_half_a_line_is_not_shown_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(entry(0) + entry(1)[:20])
    with LogReader(path) as reader:
        assert numbers(reader.read_new()) == [0]
        assert numbers(read_tail(path, 1)) == [0]
        assert reader.read_new() == []
        path.write_bytes(entry(0) + entry(1))
        assert numbers(reader.read_new()) == [1]


def test_following_loses_nothing_over_several_rotations_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(5))
    with LogReader(path) as reader:
        seen = numbers(reader.read_new())
        for number in range(5, 100):
            log.write(entry(number))
        while new := reader.read_new():
            seen += numbers(new)
    assert seen == list(range(100))
    log.close()


def test_a_reader_that_fell_behind_goes_on_with_the_oldest_that_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(5), max_files=3)
    with LogReader(path) as reader:
        seen = numbers(reader.read_new())
        for number in range(5, 200):
            log.write(entry(number))
        while new := reader.read_new():
            seen += numbers(new)
    # What it held open it reads to the end, although nobody else can any more.
    gap = next(n for n, (a, b) in enumerate(pairwise(seen)) if b != a + 1)
    assert seen[: gap + 1] == list(range(gap + 1))
    assert seen[gap + 1 :] == list(range(seen[gap + 1], 200))
    log.close()


def test_a_position_survives_rotation_and_a_new_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(10))
    with LogReader(path) as reader:
        assert len(reader.read_new()) == 10
        position = reader.position
    for number in range(10, 60):
        log.write(entry(number))
    with LogReader(path, position) as reader:
        seen = []
        while new := reader.read_new():
            seen += numbers(new)
    assert seen == list(range(10, 60))
    log.close()


def test_a_tail_is_followed_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(50))
    position = find_tail(path, 3)
    for number in range(50, 90):
        log.write(entry(number))
    with LogReader(path, position) as reader:
        seen = []
        while new := reader.read_new():
            seen += numbers(new)
    assert seen == list(range(47, 90))
    log.close()


def test_an_emptied_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(10))
    with LogReader(path) as reader:
        assert len(reader.read_new()) == 10
        path.write_bytes(b"")
        log.write(entry(77))
        assert numbers(reader.read_new()) == [77]
    log.close()


@pytest.mark.parametrize("count", [10, 100, 10_000])
@pytest.mark.parametrize("max_bytes", [1000, 1 << 30])
def test_lines_since_a_time_are_found_in_whatever_file_they_are(
    tmp_path: Path, count: int, max_bytes: int
) -> None:
    path = tmp_path / "a.log"
    count = min(count, 3000)
    write(path, range(count), max_bytes=max_bytes, max_files=1000).close()
    for first in (0, 1, count // 3, count // 2, count - 1, count):
        since = f"2026-01-02T03:{first // 60:02}:{first % 60:02}Z"
        with LogReader(path, find_time(path, since)) as reader:
            seen = []
            while new := reader.read_new():
                seen += numbers(new)
        assert seen == list(range(first, count))


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
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
    assert numbers(read_tail(tmp_path / "a.log", 1)) == [99]


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


def test_what_is_written_between_the_end_and_a_rotation_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.log"
    log = write(path, range(5), max_bytes=5000)
    monkeypatch.setattr("prismctl.keeper.logfile.READ_BYTES", 100)
    look = LogReader._following
    pending = [range(5, 150)]

    def write_then_look(reader: LogReader) -> object:
        for number in pending.pop() if pending else ():
            log.write(entry(number))
        return look(reader)

    with LogReader(path) as reader:
        seen = numbers(reader.read_new(1 << 20))
        monkeypatch.setattr(LogReader, "_following", write_then_look)
        while new := reader.read_new(1 << 20):
            seen += numbers(new)
    assert seen == list(range(150))
    log.close()
