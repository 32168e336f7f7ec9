from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prismctl.keeper.logs import MAX_TEXT_BYTES, LineFramer, Stamper

STAMP = b"2026-01-02T03:04:05.678901234Z"


def frame(chunks: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Tag and text of every entry that comes of these chunks."""
    framer = LineFramer(b"stdout")
    data = b"".join(framer.feed(chunk, STAMP) for chunk in chunks) + framer.finish(STAMP)
    assert not data or data.endswith(b"\n")
    entries = []
    for line in data.split(b"\n")[:-1]:
        stamp, stream, tag, text = line.split(b" ", 3)
        assert (stamp, stream) == (STAMP, b"stdout")
        entries.append((tag, text))
    return entries


@given(st.lists(st.binary(max_size=20).map(lambda part: part.replace(b"x", b"\n")), max_size=12))
def test_what_was_written_is_what_is_read_however_it_was_cut(chunks: list[bytes]) -> None:
    data = b"".join(chunk for chunk in chunks)
    texts = [text for _, text in frame([chunk for chunk in chunks if chunk])]
    lines = data.split(b"\n")
    assert texts == (lines if lines[-1] else lines[:-1])


@given(st.lists(st.integers(1, 3 * MAX_TEXT_BYTES // 2), max_size=5), st.integers(1, 5))
def test_no_part_is_longer_than_allowed_and_the_last_one_is_full(
    lengths: list[int], cuts: int
) -> None:
    data = b"".join(b"a" * length + b"\n" for length in lengths)
    size = min(MAX_TEXT_BYTES, len(data) // cuts + 1)
    entries = frame([data[start : start + size] for start in range(0, len(data), size)])
    assert all(len(text) <= MAX_TEXT_BYTES for _, text in entries)
    lines, line = [], b""
    for tag, text in entries:
        line += text
        if tag == b"F":
            lines.append(len(line))
            line = b""
    assert (lines, line) == (lengths, b"")


def test_times_are_utc_with_nanoseconds() -> None:
    stamper = Stamper()
    assert stamper.stamp(1_767_323_045_678_901_234) == b"2026-01-02T03:04:05.678901234Z"
    assert stamper.stamp(1_767_323_045_000_000_001) == b"2026-01-02T03:04:05.000000001Z"
    assert stamper.stamp(0) == b"1970-01-01T00:00:00.000000000Z"
