from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.files.log_files import is_current
from prismctl.files.log_line import line_to_json, render_stamp
from prismctl.files.log_search import MAX_TEXT_BYTES
from prismctl.files.logs import LogFollower, find_logs, read_logs


def entry(seconds: float, text: str, *, stream: str = "stdout", mark: str = "F") -> str:
    return f"{render_stamp(seconds)} {stream} {mark} {text}\n"


def write(path: Path, *entries: str) -> Path:
    path.write_text("".join(entries))
    return path


def texts(directory: Path, services: tuple[str, ...] = (), **position: float) -> list[str]:
    return [line.text for line in read_logs(directory, services, **position)]  # type: ignore[arg-type] # tail, since


def test_several_files_are_one_stream_in_order_of_time(tmp_path: Path) -> None:
    write(tmp_path / "a#0.log", entry(1, "a1"), entry(4, "a4"))
    write(tmp_path / "b#0.log", entry(2, "b2"), entry(3, "b3"))

    assert texts(tmp_path) == ["a1", "b2", "b3", "a4"]


def test_a_line_names_its_instance_and_stream(tmp_path: Path) -> None:
    write(tmp_path / "web#2.log", entry(1.5, "oops", stream="stderr"))

    (line,) = read_logs(tmp_path)
    inode = (tmp_path / "web#2.log").stat().st_ino

    assert line_to_json(line) == {
        "time": "1970-01-01T00:00:01.500000000Z",
        "service": "web",
        "replica": 2,
        "stream": "stderr",
        "text": "oops",
        "sequence": f"19700101000001500000000.{inode:x}-10000000045",
    }


def test_agents_are_read_only_when_they_are_named(tmp_path: Path) -> None:
    write(tmp_path / "nomad.log", entry(1, "agent"))
    write(tmp_path / "a#0.log", entry(2, "service"))

    assert texts(tmp_path) == ["service"]
    assert texts(tmp_path, ("nomad",)) == ["agent"]


def test_no_directory_is_no_output(tmp_path: Path) -> None:
    assert texts(tmp_path / "nowhere") == []


def test_rotated_files_come_before_the_current_one(tmp_path: Path) -> None:
    write(tmp_path / "a#0.log.2", entry(1, "1"))
    write(tmp_path / "a#0.log.1", entry(2, "2"))
    write(tmp_path / "a#0.log", entry(3, "3"))

    assert texts(tmp_path) == ["1", "2", "3"]
    assert texts(tmp_path, tail=2) == ["2", "3"]
    assert texts(tmp_path, since=2) == ["2", "3"]


def test_parts_of_a_line_are_joined_per_stream(tmp_path: Path) -> None:
    write(
        tmp_path / "a#0.log",
        entry(1, "be", mark="P"),
        entry(2, "error", stream="stderr"),
        entry(3, "gin", mark="P"),
        entry(4, "ning"),
    )

    lines = list(read_logs(tmp_path))

    assert sorted(line.text for line in lines) == ["beginning", "error"]


def test_a_line_without_an_end_in_sight_is_cut(tmp_path: Path) -> None:
    part = "x" * 200_000
    write(tmp_path / "a#0.log", *(entry(n, part, mark="P") for n in range(20)))

    longest = max(len(line.text) for line in read_logs(tmp_path))

    assert MAX_TEXT_BYTES <= longest < MAX_TEXT_BYTES + 200_001


def test_what_is_no_text_is_replaced_and_what_is_no_entry_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a#0.log").write_bytes(
        entry(1, "ok").encode()
        + b"torn\n"
        + render_stamp(2).encode()
        + b" stdout F \xff\xfe\n"
        + render_stamp(3).encode()
        + b" stdout F not finis"
    )

    assert texts(tmp_path) == ["ok", "\ufffd\ufffd"]


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    tail=st.integers(0, 200),
    width=st.integers(1, 3000),
)
def test_a_tail_is_the_end_of_the_whole(counts: list[int], tail: int, width: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        number = 0
        for age, count in reversed(list(enumerate(counts))):
            suffix = f".{age}" if age else ""
            entries = [entry(number + n, f"{number + n}:" + "x" * width) for n in range(count)]
            write(Path(name, f"a#0.log{suffix}"), *entries)
            number += count

        whole = texts(Path(name))

        assert len(whole) == number
        assert texts(Path(name), tail=tail) == (whole[-tail:] if tail else [])


@given(count=st.integers(0, 60), since=st.floats(-1, 61), width=st.integers(0, 500))
def test_since_is_exactly_what_is_not_older(count: int, since: float, width: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        half = count // 2
        entries = [entry(n, f"{n}:" + "x" * width) for n in range(count)]
        write(Path(name, "a#0.log.1"), *entries[:half])
        write(Path(name, "a#0.log"), *entries[half:])
        stamp = render_stamp(max(since, 0))

        expected = [n for n in range(count) if render_stamp(n) >= stamp]

        found = [int(text.partition(":")[0]) for text in texts(Path(name), since=max(since, 0))]
        assert found == expected


def test_a_follower_gets_each_line_once_across_rotation(tmp_path: Path) -> None:
    current = write(tmp_path / "a#0.log", entry(1, "1"))
    with LogFollower([current]) as follower:
        seen = [line.text for line in follower.read_history()]
        with current.open("a") as file:
            file.write(entry(2, "2"))
        current.rename(tmp_path / "a#0.log.1")
        write(current, entry(3, "3"))
        (tmp_path / "a#0.log.1").rename(tmp_path / "a#0.log.2")
        current.rename(tmp_path / "a#0.log.1")
        write(current, entry(4, "4"))
        while new := [line.text for _ in range(4) for line in follower.read_new()]:
            seen += new

    assert seen == ["1", "2", "3", "4"]


def test_what_comes_between_the_end_and_a_rotation_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = write(tmp_path / "a#0.log", entry(1, "1"))

    def rotate_first(path: str, descriptor: int) -> bool:
        monkeypatch.undo()
        with current.open("a") as file:
            file.write(entry(2, "2"))
        current.rename(tmp_path / "a#0.log.1")
        write(current, entry(3, "3"))
        return is_current(path, descriptor)

    with LogFollower([current]) as follower:
        seen = [line.text for line in follower.read_new()]
        monkeypatch.setattr("prismctl.files.log_cursor.is_current", rotate_first)
        while new := [line.text for _ in range(4) for line in follower.read_new()]:
            seen += new

    assert seen == ["1", "2", "3"]


def test_a_follower_takes_an_unfinished_line_once_it_is_finished(tmp_path: Path) -> None:
    whole = entry(1, "one line")
    current = write(tmp_path / "a#0.log", whole[:-4])
    with LogFollower([current]) as follower:
        assert list(follower.read_history()) == []
        with current.open("a") as file:
            file.write(whole[-4:])

        assert [line.text for line in follower.read_new()] == ["one line"]


def test_a_follower_begins_anew_when_a_file_was_replaced(tmp_path: Path) -> None:
    current = write(tmp_path / "a#0.log", entry(1, "old"))
    with LogFollower([current]) as follower:
        list(follower.read_history())
        current.unlink()
        write(current, entry(2, "new"))

        seen = [line.text for _ in range(3) for line in follower.read_new()]

    assert seen == ["new"]


@pytest.mark.parametrize("tail", [None, 0])
def test_a_file_that_comes_later_is_read_from_its_beginning(
    tmp_path: Path, tail: int | None
) -> None:
    with LogFollower([], tail=tail) as follower:
        write(tmp_path / "late#0.log", entry(1, "first"))
        follower.include(find_logs(tmp_path))

        assert [line.text for line in follower.read_new()] == ["first"]
