from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.past_starts import PastAgent, PastService, PastStart
from prismctl.files import history
from prismctl.files.history import HistoryError, load_starts, record_memory, record_start
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StackLab

START = PastStart(
    started_at=1000.25,
    stack="default",
    engine="nomad",
    origin='it\'s; a "name"',
    ready_seconds=2.5,
    lead_seconds=1.5,
    has_pulled=True,
    agents=(
        PastAgent(name="consul", seconds=None, is_cold=True),
        PastAgent(name="nomad", seconds=1.0, is_cold=False),
    ),
    services=(
        PastService(name="zeta", runtime="native", seconds=1.0, replicas=2, has_kept_data=True),
        PastService(name="alpha", runtime="builtin", seconds=0.0, memory_bytes=4096),
    ),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_was_written_is_read_back_whole_and_newest_first(home: Home) -> None:
    second = replace(START, started_at=2000.0, agents=(), services=())
    assert not record_start(home, START)
    assert not record_start(home, second)
    assert load_starts(home) == (second, START)
    assert load_starts(home, most=1) == (second,)


def test_it_is_for_its_owner_alone_and_leaves_nothing_beside_it(home: Home) -> None:
    before = os.umask(0)
    try:
        record_start(home, START)
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.history.stat().st_mode) == 0o600
    assert list(home.directory.iterdir()) == [home.history]


def test_the_same_start_told_twice_is_one_start(home: Home) -> None:
    record_start(home, START)
    record_start(home, replace(START, ready_seconds=9.0))
    assert [start.ready_seconds for start in load_starts(home)] == [9.0]


def test_memory_comes_later_and_belongs_to_one_start(home: Home) -> None:
    other = replace(START, started_at=2000.0)
    record_start(home, START)
    record_start(home, other)
    record_memory(home, stack="default", started_at=1000.25, memory_bytes={"zeta": 7, "new": 8})
    record_memory(home, stack="two", started_at=1000.25, memory_bytes={"zeta": 9})
    assert load_starts(home)[0] == other
    assert [each.memory_bytes for each in load_starts(home)[1].services] == [7, 4096]


def test_nothing_was_started_yet(home: Home) -> None:
    assert load_starts(home) == ()
    assert not home.history.exists()


def test_old_starts_make_room_for_new_ones(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_STARTS", 3)
    for number in range(5):
        record_start(home, replace(START, started_at=float(number)))
    assert [start.started_at for start in load_starts(home)] == [4.0, 3.0, 2.0]
    monkeypatch.setattr(history, "MAX_SERVICE_ROWS", 4)
    record_start(home, replace(START, started_at=5.0))
    assert [start.started_at for start in load_starts(home)] == [5.0, 4.0]
    monkeypatch.setattr(history, "MAX_SERVICE_ROWS", 1)
    record_start(home, replace(START, started_at=6.0))
    assert [start.started_at for start in load_starts(home)] == [6.0]
    database = sqlite3.connect(home.history)
    owners = "SELECT start FROM services UNION SELECT start FROM agents"
    assert len(database.execute(owners).fetchall()) == 1
    database.close()


def test_bounds_hold_for_as_long_as_it_is_used(home: Home) -> None:
    assert history.MAX_STARTS * 20 <= history.MAX_SERVICE_ROWS
    large = replace(
        START,
        services=tuple(
            PastService(name=f"a-service-with-a-name-{n}", runtime="container", seconds=1.0)
            for n in range(300)
        ),
    )
    for number in range(80):
        record_start(home, replace(large, started_at=float(number)))
    assert len(load_starts(home)) == history.MAX_SERVICE_ROWS // 300
    assert home.history.stat().st_size < 4 << 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"not a database, and longer than the header of one" * 40),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: _execute(path, "DROP TABLE services", "CREATE TABLE services (other TEXT)"),
    ],
    ids=["garbage", "truncated", "other tables"],
)
def test_a_damaged_history_is_put_aside_and_begun_again(home: Home, damage: object) -> None:
    assert callable(damage)
    record_start(home, START)
    damage(home.history)
    with pytest.raises(HistoryError, match="cannot read"):
        load_starts(home)

    later = replace(START, started_at=2000.0)
    assert record_start(home, later)

    assert load_starts(home) == (later,)
    assert home.damaged_history.exists()
    assert not record_start(home, START)


def _execute(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def test_an_empty_file_is_an_empty_history(home: Home) -> None:
    home.history.touch()
    assert load_starts(home) == ()
    assert not record_start(home, START)
    assert load_starts(home) == (START,)


def test_words_where_numbers_belong_are_an_error_with_the_file_s_name(home: Home) -> None:
    record_start(home, START)
    _execute(home.history, "UPDATE starts SET ready_seconds = 'soon'")
    with pytest.raises(HistoryError, match=r"cannot read .*history\.db"):
        load_starts(home)


def test_the_history_of_a_newer_prismctl_is_left_alone(home: Home) -> None:
    record_start(home, START)
    _execute(home.history, "PRAGMA user_version = 99")
    before = home.history.read_bytes()
    for attempt in (lambda: record_start(home, START), lambda: load_starts(home)):
        with pytest.raises(HistoryError, match="newer prismctl"):
            attempt()
    assert home.history.read_bytes() == before
    assert not home.damaged_history.exists()


@pytest.fixture
def locked(home: Home) -> Iterator[Home]:
    """A home whose history somebody is writing, and does not finish."""
    record_start(home, START)
    database = sqlite3.connect(home.history, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    yield home
    database.execute("ROLLBACK")
    database.close()


def test_a_history_that_somebody_holds_is_waited_for_with_a_bound(
    locked: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WRITE_SECONDS", 0.05)
    with pytest.raises(HistoryError, match=r"cannot write .*locked"):
        record_start(locked, replace(START, started_at=2000.0))
    with pytest.raises(HistoryError, match=r"cannot read .*locked"):
        load_starts(locked)
    assert not locked.damaged_history.exists()


def test_stacks_that_come_up_at_the_same_time_are_all_remembered(home: Home) -> None:
    failures: list[HistoryError] = []

    def record(stack: str) -> None:
        for number in range(10):
            try:
                record_start(home, replace(START, stack=stack, started_at=float(number)))
            except HistoryError as error:
                failures.append(error)

    threads = [threading.Thread(target=record, args=(f"stack-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(load_starts(home)) == 40


FULL_DISK = """
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from prismctl.files.history import HistoryError, load_starts, record_start
from prismctl.files.paths import Home
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
home = Home(Path(sys.argv[1]))
start = load_starts(home)[0]
# No file may grow past the size that this one has: what a full disk and a quota say, too.
size = home.history.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    for number in range(1000):
        record_start(home, replace(start, started_at=float(number), origin="x" * 500))
except HistoryError as error:
    print(error.message)
"""


def test_a_full_disk_is_an_error_and_what_was_there_stays(home: Home) -> None:
    record_start(home, START)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(home.directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot write" in done.stdout, done.stdout + done.stderr
    assert START in load_starts(home)
    assert not home.damaged_history.exists()
    assert not record_start(home, replace(START, started_at=5000.0))


def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot write") as caught:
        record_start(Home(tmp_path / "missing"), START)
    assert "writable" in caught.value.hint


READ_ONLY = """
import os, sys
from pathlib import Path
from prismctl.files.history import HistoryError, load_starts, record_start
from prismctl.files.paths import Home
import sqlite3
if os.geteuid() == 0:
    # Root writes where it likes.
    os.setuid(65534)
home = Home(Path(sys.argv[1]))
start, = load_starts(home)
try:
    record_start(home, start)
except HistoryError as error:
    print(error.message)
"""


def test_a_history_that_is_read_only_is_still_read(lab: StackLab) -> None:
    # Pytest's own directories are closed to everybody else.
    home = Home(lab.home)
    home.directory.mkdir()
    record_start(home, START)
    home.history.chmod(0o444)
    home.directory.chmod(0o555)
    home.directory.parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(home.directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    home.directory.chmod(0o700)
    assert "cannot write" in done.stdout, done.stdout + done.stderr
    assert load_starts(home) == (START,)
