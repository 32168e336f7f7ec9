from __future__ import annotations

from typing import Any

import pytest

from prismctl.daemon.web.live import StatusChanges, render_sse
from prismctl.daemon.web.log_feed import MAX_LINES, LogBundle
from prismctl.domain.shown_logs import LONGEST_LINE, MOST_CHARACTERS
from prismctl.files.log_line import LogLine


def service(name: str, **more: Any) -> dict[str, Any]:
    instance = {"index": 0, "uptime_seconds": more.get("uptime_seconds")}
    return {
        "name": name,
        "state": "healthy",
        "uptime_seconds": 1.0,
        "instances": [instance],
        **more,
    }


def document(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"state": "running", "uptime_seconds": 1.0, **more, "services": list(services)}


def lines(count: int) -> list[LogLine]:
    return [LogLine(f"t{n:06}", "web", 0, "stdout", f"line {n}", f"s{n:06}") for n in range(count)]


def test_the_first_status_is_whole() -> None:
    told = StatusChanges().render(document(service("a"), service("b")), 7.0)

    assert told is not None
    assert told["at"] == 7.0
    assert told["names"] == ["a", "b"]
    assert [each["name"] for each in told["services"]] == ["a", "b"]
    assert "services" not in told["stack"]


def test_only_what_has_changed_is_told_again() -> None:
    changes = StatusChanges()
    changes.render(document(service("a"), service("b")), 0.0)

    told = changes.render(document(service("a"), service("b", state="failed")), 1.0)

    assert told is not None
    assert [each["name"] for each in told["services"]] == ["b"]
    assert "names" not in told


def test_that_time_passes_is_no_news() -> None:
    changes = StatusChanges()
    changes.render(document(service("a")), 0.0)

    later = document(service("a", uptime_seconds=2.0), uptime_seconds=2.0)

    assert changes.render(later, 1.0) is None


def test_names_are_told_when_services_come_go_or_change_places() -> None:
    changes = StatusChanges()
    changes.render(document(service("a"), service("b")), 0.0)

    for names in (["a"], ["a", "c"], ["c", "a"]):
        told = changes.render(document(*map(service, names)), 1.0)
        assert told is not None
        assert told["names"] == names


def test_lines_that_wait_are_sent_once() -> None:
    bundle = LogBundle()
    bundle.add(lines(2))

    told = bundle.take()

    assert told is not None
    assert [line[4] for line in told["lines"]] == ["line 0", "line 1"]
    assert (told["skipped"], told["has_gap"]) == (0, False)
    assert bundle.take() is None


def test_of_too_many_lines_the_newest_wait_and_the_others_are_counted() -> None:
    bundle = LogBundle()
    for _ in range(3):
        bundle.add(lines(MAX_LINES))
    bundle.add(lines(1))

    told = bundle.take()

    assert told is not None
    assert len(told["lines"]) == MAX_LINES
    assert told["skipped"] == 2 * MAX_LINES + 1
    assert told["lines"][-1][4] == "line 0"


def test_pages_that_read_nothing_filled_the_memory_with_long_lines() -> None:
    bundle = LogBundle()
    (line,) = lines(1)
    for _ in range(50):
        bundle.add([line._replace(text="x" * 250_000)] * 10)

    told = bundle.take()

    assert told is not None
    assert sum(len(each[4]) for each in told["lines"]) <= MOST_CHARACTERS
    assert told["skipped"] == 500 - len(told["lines"])
    assert told["lines"][-1][4].startswith("x" * LONGEST_LINE + "… 242000 ")
    bundle.add([line])
    assert bundle.take() == {"skipped": 0, "has_gap": False, "lines": [list(line)]}


@pytest.mark.parametrize(
    ("words", "skipped", "has_gap"),
    [
        ("skipped 40 lines (4000 bytes): they were gone", 41, False),
        ("skipped 4000 bytes: they were gone", 1, True),
    ],
)
def test_lines_that_are_missing_are_counted_also_where_the_note_of_them_is_left_out(
    words: str,
    skipped: int,
    has_gap: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    bundle = LogBundle()
    bundle.add([lines(1)[0]._replace(stream="skipped", text=words)])
    bundle.add(lines(MAX_LINES + 1))

    first = bundle.take()
    bundle.add(lines(1))
    second = bundle.take()

    assert first is not None
    assert second is not None
    assert (first["skipped"], first["has_gap"]) == (skipped, has_gap)
    assert (second["skipped"], second["has_gap"]) == (0, False)


def test_a_message_is_one_line_whatever_is_in_it() -> None:
    text = "two\nlines\r\u2028and\n\nmore"

    message = render_sse({"event": "logs", "data": {"text": text}}).decode()

    assert message.count("\n") == 3
    assert message.endswith("\n\n")
