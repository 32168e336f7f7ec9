from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from typing import TYPE_CHECKING

from prismctl.daemon import event_log
from prismctl.daemon.event_log import EventLog
from prismctl.domain.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def messages(log: EventLog, after: int = 0) -> list[str]:
    return [event.message for event in log.after(after)]


@contextlib.contextmanager
def a_file_may_have(size: int) -> Iterator[None]:
    """A disk whose files cannot grow beyond a size; writing up to it works in part, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_the_sequence_goes_on_with_the_next_daemon(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    EventLog(path).append(EventKind.STACK_READY, message="one")

    second = EventLog(path)
    second.append(EventKind.STACK_READY, message="two")

    assert [event.sequence for event in second.after(0)] == [1, 2]
    assert messages(second) == ["one", "two"]


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    EventLog(path).append(EventKind.STACK_READY, message="one")
    with path.open("a") as file:
        file.write('{"sequence": 2, "ti')

    assert messages(EventLog(path)) == ["one"]


def test_the_next_event_is_not_glued_to_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    EventLog(path).append(EventKind.STACK_READY, message="one")
    with path.open("a") as file:
        file.write('{"sequence": 2, "ti')

    EventLog(path).append(EventKind.STACK_READY, message="two")

    assert messages(EventLog(path)) == ["one", "two"]


def test_a_disk_that_fills_within_a_line_keeps_what_fits_and_goes_on_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.ndjson"
    log = EventLog(path)
    log.append(EventKind.STACK_READY, message="one")
    with a_file_may_have(path.stat().st_size + 20):
        log.append(EventKind.STACK_READY, message="two")
        log.append(EventKind.STACK_READY, message="three")
        assert messages(EventLog(path)) == ["one"]
    log.append(EventKind.STACK_READY, message="four")

    assert messages(log) == ["one", "two", "three", "four"]
    assert messages(EventLog(path)) == ["one", "four"]
    assert path.read_bytes().count(b"\n") == 2
    assert capsys.readouterr().err.count("cannot write") == 1


def test_events_are_found_beyond_what_is_in_memory_and_across_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "MAX_FILE_BYTES", 3000)
    monkeypatch.setattr(event_log, "MAX_KEPT", 5)
    path = tmp_path / "events.ndjson"
    log = EventLog(path)
    for number in range(30):
        log.append(EventKind.SERVICE_EXITED, message=str(number))

    assert messages(log, after=20) == [str(number) for number in range(20, 30)]
    assert path.with_name("events.ndjson.1").exists()
    assert path.stat().st_size < 3000


def test_a_new_life_counts_from_one_and_keeps_the_last_one_aside(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    log = EventLog(path)
    log.append(EventKind.STACK_READY, message="old")

    log.begin()
    event = log.append(EventKind.STACK_READY, message="new")

    assert event.sequence == 1
    assert messages(EventLog(path)) == ["new"]
    assert "old" in path.with_name("events.ndjson.last").read_text()


async def test_a_follower_gets_what_was_and_what_comes(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.ndjson")
    log.append(EventKind.STACK_READY, message="0")
    seen = []

    async def follow() -> None:
        async for event in log.follow(0):
            seen.append(event.message)
            if len(seen) == 3:
                return

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await asyncio.sleep(0)
        for number in (1, 2):
            log.append(EventKind.STACK_READY, message=str(number))

    assert seen == ["0", "1", "2"]


def test_a_disk_that_takes_nothing_is_said_once_and_events_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.ndjson"
    path.mkdir()
    log = EventLog(path)

    for number in range(3):
        log.append(EventKind.STACK_READY, message=str(number))

    assert messages(log) == ["0", "1", "2"]
    assert capsys.readouterr().err.count("cannot write") == 1
