"""What the dashboard reads of a real daemon: states, lines without loss or repetition, and what it outlives."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.shown_logs import LONGEST_LINE, MOST_CHARACTERS
from prismctl.tui.dashboard.feeds import Feeds, Mailbox
from prismctl.tui.dashboard.logbook import (
    Logbook,
    decode_line,
)
from tests.conftest import wait_until
from tests.tui.stacks import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prismctl.tui.dashboard.feeds import Loss
    from prismctl.tui.dashboard.logbook import LogLine

COUNTING = 'n=0; while :; do n=$((n+1)); echo "line $n"; sleep 0.01; done'
BOUND_SECONDS = 20
FLOOD = 300_000
"""Lines: several times as many as a dashboard takes in what it may be behind."""


class Reader:
    """Takes what the feeds deliver, as a screen would, and keeps all of it."""

    def __init__(self, lab: Any) -> None:
        self._woken = threading.Event()
        self.mailbox = Mailbox(self._woken.set)
        self.feeds = Feeds(lab.paths, self.mailbox)
        self.documents: list[dict[str, Any]] = []
        self.losses: list[Loss] = []
        self.lines: list[LogLine] = []
        self.has_read_logs = False

    def read_until(self, is_so: Callable[[], bool]) -> None:
        """Take what comes until something is so."""
        while True:
            delivery = self.mailbox.take()
            self.documents += [delivery.status] if delivery.status is not None else []
            self.losses += [delivery.loss] if delivery.loss is not None else []
            self.lines += delivery.lines
            self.has_read_logs = self.has_read_logs or delivery.has_read_logs
            if is_so():
                return
            assert self._woken.wait(BOUND_SECONDS), (self.losses[-3:], self.lines[-3:])
            self._woken.clear()

    def numbers(self) -> list[int]:
        return [int(each.text.split()[1]) for each in self.lines if each.text.startswith("line ")]


@pytest.fixture
def reader(lab: Any) -> Iterator[Reader]:
    made = Reader(lab)
    yield made
    made.feeds.close()


def test_states_and_lines_come_as_they_are(lab: Any, reader: Reader) -> None:
    lab.start_with(lab.shell("web", "echo hello; exec sleep 1000"))
    reader.feeds.open()
    reader.read_until(lambda: bool(reader.documents) and bool(reader.lines))
    assert reader.documents[-1]["state"] == "running"
    assert [each.text for each in reader.lines] == ["hello"]
    # The states are shown before the plan is asked for.
    wait_until(lambda: reader.feeds.plan is not None)
    assert [each["name"] for each in (reader.feeds.plan or {})["services"]] == ["web"]


def test_what_was_printed_before_comes_before_it_is_said_to_be_all(
    lab: Any, reader: Reader
) -> None:
    said = "; ".join(f"echo line {number}" for number in range(1, 31))
    lab.start_with(lab.shell("web", f"{said}; exec sleep 1000"))
    wait_until(lambda: len(list(lab.client.logs())) == 30)
    reader.feeds.open()
    reader.read_until(lambda: reader.has_read_logs)
    assert reader.numbers() == list(range(1, 31))


def test_that_nothing_was_printed_is_known_too(lab: Any, reader: Reader) -> None:
    lab.start_with(lab.service("web"))
    reader.feeds.open()
    reader.read_until(lambda: reader.has_read_logs)
    assert not reader.lines


def test_following_goes_on_without_loss_or_repetition_when_the_daemon_is_killed(
    lab: Any, reader: Reader
) -> None:
    lab.start_with(lab.shell("counting", COUNTING))
    reader.feeds.open()
    reader.read_until(lambda: len(reader.numbers()) > 50)
    os.kill(lab.daemon_pid(), signal.SIGKILL)
    reader.read_until(lambda: bool(reader.losses))
    already = len(reader.numbers())
    reader.read_until(lambda: len(reader.numbers()) > already + 50)
    numbers = reader.numbers()
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_who_is_too_slow_for_a_flood_is_told_how_many_lines_are_missing_where_they_are(
    lab: Any, reader: Reader, tmp_path: Path
) -> None:
    may_begin = tmp_path / "may begin"
    flood = f'while [ ! -e "{may_begin}" ]; do sleep 0.02; done; seq -f "line %.0f" {FLOOD}'
    lab.start_with(lab.shell("flooding", f"echo line 0; {flood}; exec sleep 1000"))
    reader.feeds.open()
    reader.read_until(lambda: reader.has_read_logs and bool(reader.numbers()))
    may_begin.touch()
    reader.read_until(lambda: reader.numbers()[-1] == FLOOD)

    expected, notes = 0, 0
    for each in reader.lines:
        if each.is_note:
            assert each.text.startswith(f"skipped {each.lines} lines (")
            assert each.text.endswith("came faster than they can be shown")
            expected += each.lines or 0
            notes += 1
        else:
            assert each.text == f"line {expected}"
            expected += 1
    assert expected == FLOOD + 1
    assert notes


def test_a_suspended_daemon_is_told_of_within_seconds_and_again_when_it_goes_on(
    lab: Any, reader: Reader
) -> None:
    lab.start_with(lab.service("web"))
    reader.feeds.open()
    reader.read_until(lambda: bool(reader.documents))
    daemon = lab.daemon_pid()
    os.kill(daemon, signal.SIGSTOP)
    try:
        reader.read_until(lambda: any("suspended" in each.reason for each in reader.losses))
    finally:
        os.kill(daemon, signal.SIGCONT)
    already = len(reader.documents)
    reader.read_until(lambda: len(reader.documents) > already)


def test_a_stack_that_is_stopped_is_told_as_that(lab: Any, reader: Reader) -> None:
    lab.start_with(lab.service("web"))
    reader.feeds.open()
    reader.read_until(lambda: bool(reader.documents))
    list(lab.client.stop())
    reader.read_until(lambda: any(each.is_stopped for each in reader.losses))


def test_closing_ends_the_threads_whatever_they_wait_for(
    lab: Any, reader: Reader, wait_until: Callable[..., None]
) -> None:
    lab.start_with(lab.service("web"))
    reader.feeds.open()
    reader.read_until(lambda: bool(reader.documents))
    reader.feeds.close()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("feed: ")])


def test_a_logbook_keeps_the_newest_of_each_service_within_its_bounds() -> None:
    logbook = Logbook()
    for number in range(3000):
        logbook.add([log(f"{number}"), log("x" * LONGEST_LINE, "loud")])
    quiet, loud = logbook.ring("prism-admin"), logbook.ring("loud")
    assert quiet.all()[-1].text == "2999"
    assert quiet.end == 3000
    assert len(quiet) == 2000
    assert sum(len(each.text) for each in loud.all()) <= MOST_CHARACTERS
    assert [each.text for each in quiet.take(quiet.first - 5, quiet.first + 2)] == ["1000", "1001"]


def test_a_line_of_a_megabyte_is_cut() -> None:
    entry = {"time": "t", "service": "s", "replica": 0, "stream": "stdout", "text": "x" * 1_000_000}
    assert decode_line(entry).text == "x" * LONGEST_LINE + "… 992000 characters more"
