"""Lines that are gone before a slow reader comes to them: how many they are is told, and sequences prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.files.log_line import SKIPPED, line_to_json, read_skip, render_stamp
from prismctl.files.logs import LogFollower, find_logs, read_logs
from prismctl.keeper.logs import LogFile

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.log_line import LogLine

PER_FILE = 10
FILES = 4


class Writer:
    """Writes numbered lines of one length through the keeper's own file, ten of which fill one."""

    def __init__(self, directory: Path) -> None:
        self.written = 0
        entry = self._entry(0)
        self.entry_bytes = len(entry)
        self.file = LogFile(
            str(directory / "web#0.log"),
            max_bytes=PER_FILE * len(entry),
            max_files=FILES,
            counts_removed=True,
        )

    def write(self, count: int) -> None:
        for _ in range(count):
            self.file.write(self._entry(self.written))
            self.written += 1

    def _entry(self, number: int) -> bytes:
        return f"{render_stamp(1000 + number)} stdout F line {number:06d}\n".encode()


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.text.removeprefix("line ")) for line in lines if line.stream != SKIPPED]


def read_all(follower: LogFollower) -> list[LogLine]:
    lines: list[LogLine] = []
    while more := follower.read_new():
        lines += more
    return lines


@pytest.mark.parametrize("count", [0, 5, PER_FILE * (FILES - 1), PER_FILE * FILES, 77, 500])
def test_what_a_slow_follower_misses_is_counted_exactly(tmp_path: Path, count: int) -> None:
    writer = Writer(tmp_path)
    writer.write(3)
    with LogFollower(find_logs(tmp_path)) as follower:
        had = read_all(follower)
        writer.write(count)
        had += read_all(follower)

    skips = [skip for line in had if (skip := read_skip(line_to_json(line)))]
    missing = sorted(set(range(writer.written)) - set(numbers(had)))
    assert sum(skip["lines"] or 0 for skip in skips) == len(missing)
    assert sum(skip["bytes"] or 0 for skip in skips) == len(missing) * writer.entry_bytes
    assert bool(skips) == bool(missing)
    sequences = [line.sequence for line in had]
    assert sequences == sorted(set(sequences))


def test_the_gap_is_told_where_it_is(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(3)
    with LogFollower(find_logs(tmp_path)) as follower:
        read_all(follower)
        writer.write(100)
        later = read_all(follower)

    at = next(at for at, line in enumerate(later) if line.stream == SKIPPED)
    # The file that was open is read to its end; what is left begins with a whole file.
    assert numbers(later[:at]) == list(range(3, PER_FILE))
    assert numbers(later[at:]) == list(range(70, 103))
    assert later[at].text.startswith(f"skipped 60 lines ({60 * writer.entry_bytes} bytes): ")
    assert later[at].time == later[at + 1].time


def test_who_comes_back_behind_a_whole_file_that_is_gone_is_told_lines_and_bytes(
    tmp_path: Path,
) -> None:
    writer = Writer(tmp_path)
    writer.write(PER_FILE)
    *_, last = read_logs(tmp_path)
    writer.write(100)

    first, *rest = read_logs(tmp_path, after={"web#0": last.sequence})

    assert read_skip(line_to_json(first)) == {"lines": 60, "bytes": 60 * writer.entry_bytes}
    assert numbers(rest) == list(range(70, 110))


def test_who_comes_back_in_the_middle_of_a_file_that_is_gone_is_told_the_bytes(
    tmp_path: Path,
) -> None:
    writer = Writer(tmp_path)
    writer.write(4)
    *_, last = read_logs(tmp_path)
    writer.write(106)

    first, *rest = read_logs(tmp_path, after={"web#0": last.sequence})

    assert read_skip(line_to_json(first)) == {"lines": None, "bytes": 66 * writer.entry_bytes}
    assert numbers(rest) == list(range(70, 110))


def test_going_on_after_the_gap_repeats_neither_it_nor_a_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(PER_FILE)
    *_, last = read_logs(tmp_path)
    writer.write(100)
    gap, *rest = read_logs(tmp_path, after={"web#0": last.sequence})

    assert list(read_logs(tmp_path, after={"web#0": gap.sequence})) == rest


def test_logs_that_somebody_emptied_are_no_gap(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(3)
    with LogFollower(find_logs(tmp_path)) as follower:
        read_all(follower)
        for path in tmp_path.iterdir():
            path.unlink()
        again = Writer(tmp_path)
        again.write(2)
        assert [line.stream for line in read_all(follower)] == ["stdout", "stdout"]


def test_parts_of_a_long_line_are_one_line_of_those_that_are_missing(tmp_path: Path) -> None:
    part = f"{render_stamp(1)} stdout P {'x' * 100}\n".encode()
    end = f"{render_stamp(1)} stdout F {'x' * 100}\n".encode()
    file = LogFile(
        str(tmp_path / "web#0.log"), max_bytes=len(part) * 3, max_files=2, counts_removed=True
    )
    for _ in range(4):
        file.write(part + part + end)

    entries = (tmp_path / "web#0.log.gone").read_text().splitlines()

    assert [entry.split()[3] for entry in entries] == ["1", "1"]


def test_the_count_of_what_is_gone_stays_small(tmp_path: Path) -> None:
    entry = f"{render_stamp(1)} stdout F x\n".encode()
    file = LogFile(
        str(tmp_path / "web#0.log"), max_bytes=len(entry), max_files=2, counts_removed=True
    )
    for _ in range(2500):
        file.write(entry)

    assert (tmp_path / "web#0.log.gone").stat().st_size <= 64 * 1024
    assert (tmp_path / "web#0.log.gone").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 25, PER_FILE * FILES, 77, 500])
@pytest.mark.parametrize("tail", [1, 5, PER_FILE, 25])
@pytest.mark.parametrize("read", [0, 3, PER_FILE])
def test_who_goes_on_with_the_newest_lines_is_told_how_many_are_left_out(
    tmp_path: Path, count: int, tail: int, read: int
) -> None:
    writer = Writer(tmp_path)
    writer.write(read)
    with LogFollower(find_logs(tmp_path)) as follower:
        follower.include([tmp_path / "web#0.log"])
        had = read_all(follower)
        writer.write(count)
        follower.skip_to_tail(tail)
        later = read_all(follower)

    missing = sorted(set(range(writer.written)) - set(numbers([*had, *later])))
    skips = [skip for line in later if (skip := read_skip(line_to_json(line)))]
    assert numbers(later) == list(range(max(read, writer.written - tail), writer.written))
    assert sum(skip["bytes"] or 0 for skip in skips) == len(missing) * writer.entry_bytes
    if None not in [skip["lines"] for skip in skips]:
        assert sum(skip["lines"] or 0 for skip in skips) == len(missing)
    else:
        assert read == 3, "part of a file that was read is gone"
    assert bool(skips) == bool(missing)
    assert [line.stream for line in later[:1]] == (
        [SKIPPED] if missing else ["stdout"] * bool(count)
    )
    sequences = [line.sequence for line in [*had, *later]]
    assert sequences == sorted(set(sequences))


def test_what_is_left_out_and_what_was_gone_before_is_told_as_one(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.write(PER_FILE)
    *_, last = read_logs(tmp_path)
    writer.write(100)
    with LogFollower(find_logs(tmp_path), after={"web#0": last.sequence}) as follower:
        follower.skip_to_tail(3)
        first, *rest = read_all(follower)

    assert first.text.startswith(f"skipped 97 lines ({97 * writer.entry_bytes} bytes): ")
    assert first.text.endswith("came faster than they can be shown")
    assert numbers(rest) == [107, 108, 109]


def test_a_line_in_parts_is_one_of_those_that_are_left_out(tmp_path: Path) -> None:
    def entry(mark: str) -> str:
        return f"{render_stamp(1)} stdout {mark} a text that says P too\n"

    (tmp_path / "web#0.log").write_text(entry("F") + (entry("P") * 2 + entry("F")) * 5)
    with LogFollower(find_logs(tmp_path)) as follower:
        follower.skip_to_tail(2)
        first, *rest = read_all(follower)

    assert read_skip(line_to_json(first)) == {"lines": 4, "bytes": 10 * len(entry("F"))}
    assert len(rest) == 2


def test_an_unfinished_line_is_neither_counted_nor_lost_where_the_rest_is_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web#0.log"
    stamp = render_stamp(1)
    path.write_text(f"{stamp} stdout F one\n" * 3 + f"{stamp} stdout F begun")
    with LogFollower([path]) as follower:
        follower.skip_to_tail(2)
        first, only = read_all(follower)
        with path.open("a") as file:
            file.write(" and ended\n")
        (last,) = read_all(follower)

    assert first.text.startswith("skipped 2 lines")
    assert (only.text, last.text) == ("one", "begun and ended")
