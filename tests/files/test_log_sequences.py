from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismctl.domain.redaction import HIDDEN, Redactor
from prismctl.files.log_line import LogLine, line_to_json, render_lines, render_stamp
from prismctl.files.log_search import MAX_TEXT_BYTES
from prismctl.files.logs import LogFollower, find_logs, part_lines, read_logs

TEXTS = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=20
)
ENTRIES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("FFFP"), TEXTS), max_size=25
)


def entry(seconds: float, text: str, *, stream: str = "stdout", mark: str = "F") -> str:
    return f"{render_stamp(seconds)} {stream} {mark} {text}\n"


def write_in_files(directory: Path, entries: list[str], cuts: list[int]) -> None:
    """The entries in rotated files, the newest without a number."""
    places = [0, *sorted(min(cut, len(entries)) for cut in cuts), len(entries)]
    pieces = [entries[a:b] for a, b in itertools.pairwise(places) if a < b] or [[]]
    for number, piece in enumerate(reversed(pieces)):
        name = "a#0.log" + (f".{number}" if number else "")
        (directory / name).write_text("".join(piece), encoding="utf-8", newline="")


@settings(max_examples=60)
@given(entries=ENTRIES, cuts=st.lists(st.integers(0, 25), max_size=3))
def test_reading_goes_on_after_any_line_as_if_nothing_had_been_in_between(
    entries: list[tuple[str, str, str]], cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written = [
            entry(at + 1, text, stream=stream, mark=mark)
            for at, (stream, mark, text) in enumerate(entries)
        ]
        write_in_files(directory, written, cuts)
        whole = list(read_logs(directory))

        sequences = [line.sequence for line in whole]
        assert len(set(sequences)) == len(sequences)
        assert sequences == sorted(sequences)
        for at, line in enumerate(whole):
            rest = list(read_logs(directory, after={"a#0": line.sequence}))
            assert rest == whole[at + 1 :]


def test_lines_were_repeated_where_another_stream_had_an_unfinished_one_for_two_files(
    tmp_path: Path,
) -> None:
    begun = [entry(1, "begun", stream="stderr", mark="P"), entry(2, "in the first")]
    write_in_files(tmp_path, [*begun, entry(3, "in the second"), entry(4, "in the third")], [2, 3])
    *_, second, third = read_logs(tmp_path)

    assert list(read_logs(tmp_path, after={"a#0": third.sequence})) == []
    assert list(read_logs(tmp_path, after={"a#0": second.sequence})) == [third]


def test_a_sequence_stays_the_same_while_files_are_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "a#0.log"
    path.write_text(entry(1, "1") + entry(2, "2"))
    before = list(read_logs(tmp_path))
    path.rename(tmp_path / "a#0.log.1")
    path.write_text(entry(3, "3"))

    after = list(read_logs(tmp_path))

    assert after[:2] == before
    rest = read_logs(tmp_path, after={"a#0": before[0].sequence})
    assert [line.text for line in rest] == ["2", "3"]


def test_after_a_line_whose_file_is_gone_comes_the_oldest_that_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a#0.log"
    path.write_text(entry(1, "1"))
    (gone,) = read_logs(tmp_path)
    path.unlink()
    (tmp_path / "a#0.log.1").write_text(entry(2, "2"))
    path.write_text(entry(3, "3"))

    rest = read_logs(tmp_path, after={"a#0": gone.sequence})

    assert [line.text for line in rest] == ["2", "3"]


def test_what_comes_after_a_line_is_followed_and_others_as_since_says(tmp_path: Path) -> None:
    known, other = tmp_path / "a#0.log", tmp_path / "b#0.log"
    known.write_text(entry(1, "a1") + entry(2, "a2"))
    other.write_text(entry(1, "b1") + entry(5, "b5"))
    first = next(iter(read_logs(tmp_path, ["a"])))

    paths = find_logs(tmp_path)
    with LogFollower(paths, since=4, after={"a#0": first.sequence}) as follower:
        assert [line.text for line in follower.read_history()] == ["a2", "b5"]


@pytest.mark.parametrize("text", ["", "12", "20260102030405678901234-1", "x" * 40])
def test_what_is_no_sequence_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a#0.log").write_text(entry(1, "1"))
    with pytest.raises(ValueError, match="^" + text):
        list(read_logs(tmp_path, after={"a#0": text}))


def test_lines_cross_the_socket_as_json_would_write_them(tmp_path: Path) -> None:
    texts = ['"quoted" \\ é \t', "plain", "\x1b[31m\x00"]
    (tmp_path / "a#3.log").write_text("".join(entry(1, text) for text in texts))

    lines = list(read_logs(tmp_path))

    assert [json.loads(text) for text in render_lines(lines).splitlines()] == [
        line_to_json(line) for line in lines
    ]
    assert [line.text for line in lines] == texts


def test_a_file_that_is_ahead_waits_for_the_others(tmp_path: Path) -> None:
    """One file has many lines in a short time, the other few in a long one: still all are in order of time."""
    busy = [entry(1 + at / 100_000, f"busy {at}") for at in range(20_000)]
    calm = [entry(1 + at / 50, f"calm {at}") for at in range(100)]
    (tmp_path / "busy#0.log").write_text("".join(busy))
    (tmp_path / "calm#0.log").write_text("".join(calm))

    seen: list[LogLine] = []
    with LogFollower(find_logs(tmp_path)) as follower:
        while lines := follower.read_new():
            seen += lines

    assert len(seen) == 20_100
    assert [line.time for line in seen] == sorted(line.time for line in seen)


def test_bundles_are_short_in_lines_and_in_characters() -> None:
    short = LogLine("t", "a", 0, "stdout", "x", "s")
    long = short._replace(text="x" * MAX_TEXT_BYTES)

    sizes = [len(bundle) for bundle in part_lines([short] * 1200 + [long] * 2 + [short])]

    assert sizes == [500, 500, 201, 1, 1]


def test_a_secret_is_hidden_also_where_a_line_came_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a#0.log").write_text(
        entry(1, "it is s3cr", mark="P")
        + entry(2, "s3cret! here", stream="stderr")
        + entry(3, "et! indeed")
        + entry(4, "harmless")
    )

    lines = read_logs(tmp_path, redactor=Redactor(["s3cret!"]))

    assert sorted(line.text for line in lines) == sorted(
        [f"it is {HIDDEN} indeed", f"{HIDDEN} here", "harmless"]
    )


def test_a_secret_is_hidden_where_an_endless_line_is_cut(tmp_path: Path) -> None:
    half = "x" * (MAX_TEXT_BYTES // 4 - 3) + "s3c"
    parts = [entry(1, "x" * (MAX_TEXT_BYTES // 4), mark="P") for _ in range(3)]
    (tmp_path / "a#0.log").write_text(
        "".join(parts) + entry(2, half, mark="P") + entry(3, "ret! and on")
    )

    first, second = read_logs(tmp_path, redactor=Redactor(["s3cret!"]))

    assert first.text.endswith(f"x{HIDDEN}")
    assert second.text == f"{HIDDEN} and on"
