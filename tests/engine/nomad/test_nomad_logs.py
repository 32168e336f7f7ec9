from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import ServiceName
from prismctl.engine.nomad.log_stream import READ_BYTES
from prismctl.engine.nomad.logs import LogPump

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = InstanceKey(ServiceName("redis"), 0)
STAMP = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)$")


class Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.target = directory / "redis#0.log"
        self.pumps: list[LogPump] = []

    def pump(self) -> LogPump:
        made = LogPump(
            lambda key: self.directory / f"{key}.log",
            lambda allocation: self.directory / allocation,
            self.directory / "records",
        )
        made.start()
        self.pumps.append(made)
        return made

    def close(self, pump: LogPump) -> None:
        pump.close()
        self.pumps.remove(pump)

    def write(self, name: str, content: bytes) -> None:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(content)

    def lines(self) -> list[tuple[str, str, bytes]]:
        found = []
        for line in self.target.read_bytes().splitlines():
            match = STAMP.match(line)
            assert match, line
            found.append((match[1].decode(), match[2].decode(), match[3]))
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for pump in made.pumps:
        pump.close()


def test_both_streams_arrive_in_the_keepers_format(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\ntwo\n")
    place.write("a1/redis.stderr.0", b"oh\n")
    pump = place.pump()
    pump.follow(KEY, "a1", "redis")
    pump.finish("a1").result(10)
    assert place.lines() == [
        ("stdout", "F", b"one"),
        ("stdout", "F", b"two"),
        ("stderr", "F", b"oh"),
    ]


def test_what_is_written_later_is_noticed(place: Place) -> None:
    pump = place.pump()
    pump.follow(KEY, "a1", "redis")
    place.write("a1/redis.stdout.0", b"late\nunfinish")
    place.write("a1/redis.stdout.0", b"ed")
    pump.finish("a1").result(10)
    assert place.lines() == [("stdout", "F", b"late"), ("stdout", "F", b"unfinished")]


def test_rotated_files_are_read_in_order_and_lines_across_them_joined(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\ntw")
    place.write("a1/redis.stdout.1", b"o\nthree\n")
    place.write("a1/redis.stdout.10", b"four\n")
    pump = place.pump()
    pump.follow(KEY, "a1", "redis")
    pump.finish("a1").result(10)
    assert [text for _, _, text in place.lines()] == [b"one", b"two", b"three", b"four"]


def test_a_very_long_line_comes_in_parts(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"x" * (READ_BYTES + 5) + b"\n")
    pump = place.pump()
    pump.follow(KEY, "a1", "redis")
    pump.finish("a1").result(10)
    assert [(tag, len(text)) for _, tag, text in place.lines()] == [("P", READ_BYTES), ("F", 5)]


def test_the_next_pump_goes_on_where_this_one_ended(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\ntw")
    first = place.pump()
    first.follow(KEY, "a1", "redis")
    place.close(first)
    place.write("a1/redis.stdout.0", b"o\n")
    second = place.pump()
    second.follow(KEY, "a1", "redis")
    second.finish("a1").result(10)
    assert [text for _, _, text in place.lines()] == [b"one", b"two"]


def test_an_allocation_that_was_finished_is_not_copied_again(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\n")
    for _ in range(2):
        pump = place.pump()
        pump.follow(KEY, "a1", "redis")
        pump.finish("a1").result(10)
        place.close(pump)
    assert [text for _, _, text in place.lines()] == [b"one"]


@pytest.mark.parametrize("was_rotated", [False, True])
@pytest.mark.parametrize("written", [0, 1, 25, 44, 60, 88])
def test_a_crash_in_the_middle_of_a_write_costs_no_line_and_takes_none_back(
    place: Place, written: int, *, was_rotated: bool
) -> None:
    place.write("a1/redis.stdout.0", b"one\ntw")
    first = place.pump()
    first.follow(KEY, "a1", "redis")
    first.finish("nobody").result(10)
    place.close(first)
    # What a pump leaves that is killed while it adds the next lines, of which the first began in an older file.
    record = place.directory / "records" / "redis#0.json"
    document = json.loads(record.read_text())
    document["size"] = place.target.stat().st_size
    document["streams"] = {"a1/redis.stdout": [0, 4]}
    document["next"] = ["a1/redis.stdout", [1, 8], len(b"two\nthree\n")]
    record.write_text(json.dumps(document))
    place.write("a1/redis.stdout.1", b"o\nthree\nfour\n")
    if was_rotated:
        place.target.rename(place.directory / "redis#0.log.1")
    added = b"".join(
        b"2026-01-02T03:04:05.678901234Z stdout F %s\n" % text for text in (b"two", b"three")
    )
    with place.target.open("ab") as file:
        file.write(added[:written])
    read_before = added[:written].count(b"\n")

    second = place.pump()
    second.follow(KEY, "a1", "redis")
    second.finish("a1").result(10)

    earlier = [] if was_rotated else [b"one"]
    assert [text for _, _, text in place.lines()] == [*earlier, b"two", b"three", b"four"]
    kept = place.target.read_bytes()
    whole = added[: added[:written].rfind(b"\n") + 1]
    assert whole.count(b"\n") == read_before
    assert whole in kept


def test_files_that_vanish_while_they_are_read_are_read_to_the_end(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\n")
    pump = place.pump()
    pump.follow(KEY, "a1", "redis")
    pump.finish("nobody").result(10)
    place.write("a1/redis.stdout.0", b"two\n")
    (place.directory / "a1" / "redis.stdout.0").unlink()
    pump.finish_all().result(10)
    assert [text for _, _, text in place.lines()] == [b"one", b"two"]


def test_a_flood_arrives_whole(place: Place) -> None:
    expected = [b"line %d" % number for number in range(200_000)]
    pump = place.pump()
    place.write("a1/redis.stdout.0", b"")
    pump.follow(KEY, "a1", "redis")
    for start in range(0, len(expected), 1000):
        place.write("a1/redis.stdout.0", b"\n".join(expected[start : start + 1000]) + b"\n")
    pump.finish("a1").result(30)
    assert [text for _, _, text in place.lines()] == expected


def test_two_allocations_of_one_instance_share_a_file(place: Place) -> None:
    place.write("a1/redis.stdout.0", b"one\n")
    place.write("a2/redis.stdout.0", b"two\n")
    pump = place.pump()
    for allocation in ("a1", "a2"):
        pump.follow(KEY, allocation, "redis")
        pump.finish(allocation).result(10)
    assert [text for _, _, text in place.lines()] == [b"one", b"two"]
