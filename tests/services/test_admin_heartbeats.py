from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest

from prism_services.admin.database import SCHEMA_VERSION, DatabaseThread, open_database
from prism_services.admin.heartbeats import TOLERANCE_SECONDS, Deadlines, HeartbeatWatch
from prism_services.admin.records import Liveness, Load, Member, MemberKind
from prism_services.admin.serve import heartbeat_watch, watch_members
from prism_services.admin.store import Store
from prism_services.serving.failure import ServiceError
from prism_services.serving.journal import Journal
from prism_services.serving.refusal import Refusal

if TYPE_CHECKING:
    from pathlib import Path

PROXY = (MemberKind.PROXY, "p1")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_member_is_overdue_once_within_a_minute_of_its_last_heartbeat() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    deadlines.expect(PROXY)
    clock.now += 31
    assert deadlines.pop_overdue() == []
    deadlines.heard(PROXY)
    clock.now += TOLERANCE_SECONDS
    assert TOLERANCE_SECONDS < 60
    assert deadlines.seconds_left() == 0
    assert deadlines.pop_overdue() == [PROXY]
    assert deadlines.pop_overdue() == []
    assert deadlines.seconds_left() is None


def test_a_member_that_is_heard_again_is_expected_again() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    deadlines.expect(PROXY)
    clock.now += TOLERANCE_SECONDS
    deadlines.pop_overdue()
    assert deadlines.heard(PROXY)
    assert deadlines.seconds_left() == TOLERANCE_SECONDS


def test_strangers_are_not_remembered() -> None:
    deadlines = Deadlines(Clock())
    assert not deadlines.heard(PROXY)
    assert deadlines.seconds_left() is None


async def test_the_watch_reports_silence_and_waits_for_news_after_that() -> None:
    reported: asyncio.Queue[object] = asyncio.Queue(maxsize=4)
    clock = asyncio.get_running_loop().time
    watch = HeartbeatWatch(Deadlines(clock, tolerance=0.02), reported.put)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        watch.expect(PROXY)
        assert await reported.get() == PROXY
        watch.heard(PROXY)
        assert await reported.get() == PROXY
        running.cancel()


async def test_silence_and_return_change_the_status_and_are_audited(tmp_path: Path) -> None:
    clock = Clock()
    with DatabaseThread(tmp_path / "a.db") as database:
        await database.opened()
        store = Store(database, clock)
        launcher = Member(kind=MemberKind.LAUNCHER, id="l1", max_processes=1)
        await store.run(lambda state: state.register_launcher(launcher))
        for expected in (True, False):
            news = await store.run(
                lambda state: state.members.mark_unhealthy(MemberKind.LAUNCHER, "l1")
            )
            assert news is expected
        (record,) = await store.run(lambda state: state.members.all(MemberKind.LAUNCHER))
        assert record.status is Liveness.UNHEALTHY
        with pytest.raises(Refusal, match="no healthy launcher"):
            await store.run(
                lambda state: state.processes.assign(
                    process_id="p", process_type="t", namespace="", config=b"", version=0
                )
            )
        clock.now += 100
        await store.run(
            lambda state: state.members.heartbeat(MemberKind.LAUNCHER, "l1", Load(active=1))
        )
        (record,) = await store.run(lambda state: state.members.all(MemberKind.LAUNCHER))
        assert (record.status, record.last_seen) == (Liveness.HEALTHY, 1100)
        log = await store.run(lambda state: state.audit.entries(10, 0))
        assert [entry.action for entry in log] == [
            "launcher-healthy",
            "launcher-unhealthy",
            "register-launcher",
        ]


async def test_a_refusal_undoes_the_whole_transaction(tmp_path: Path) -> None:
    with DatabaseThread(tmp_path / "a.db") as database:
        await database.opened()
        store = Store(database, Clock())
        with pytest.raises(Refusal):
            await store.run(
                lambda state: (
                    state.register_proxy(Member(kind=MemberKind.PROXY, id="p1")),
                    state.namespaces.create("", b"", ""),
                )
            )
        assert await store.run(lambda state: state.members.proxy_ids()) == []
        assert await store.run(lambda state: state.audit.entries(10, 0)) == ()


async def test_the_audit_log_keeps_the_newest_entries_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prism_services.admin.audit.MOST_ENTRIES", 3)
    with DatabaseThread(tmp_path / "a.db") as database:
        await database.opened()
        store = Store(database, Clock())
        for number in range(5):
            member = Member(kind=MemberKind.PROXY, id=f"p{number}")
            await store.run(lambda state, member=member: state.register_proxy(member))  # type: ignore[misc]  # a default binds the loop's value
        log = await store.run(lambda state: state.audit.entries(10, 0))
        assert [entry.subject for entry in log] == ["p4", "p3", "p2"]


def test_the_database_is_made_private_with_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "new" / "admin.db"
    open_database(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_opening_twice_keeps_one_schema_in_wal_mode(tmp_path: Path) -> None:
    for _ in range(2):
        open_database(tmp_path / "a.db").close()
    connection = sqlite3.connect(tmp_path / "a.db")
    assert connection.execute("SELECT version FROM schema_version").fetchall() == [
        (SCHEMA_VERSION,)
    ]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert {
        "namespaces", "proxies", "launchers", "patterns", "audit_logs", "schema_version",
    } <= tables  # fmt: skip
    connection.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = open_database(path)
    connection.execute("INSERT INTO schema_version VALUES (99, 0)")
    connection.close()
    with pytest.raises(ServiceError, match="has schema 99, newer than"):
        open_database(path)


@pytest.mark.parametrize("content", [b"this is not a database, it is a text file" * 100])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(ServiceError, match="file is not a database") as error:
        open_database(path)
    assert "--db" in error.value.hint
    assert path.read_bytes() == content


async def test_members_known_from_before_a_restart_are_watched_too(tmp_path: Path) -> None:
    with DatabaseThread(tmp_path / "a.db") as database:
        await database.opened()
        store = Store(database, Clock())
        proxy = Member(kind=MemberKind.PROXY, id="p1")
        await store.run(lambda state: state.register_proxy(proxy))
        reported: asyncio.Queue[object] = asyncio.Queue(maxsize=4)
        clock = asyncio.get_running_loop().time
        watch = HeartbeatWatch(Deadlines(clock, tolerance=0.02), reported.put)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            running = group.create_task(watch_members(store, watch))
            assert await reported.get() == PROXY
            running.cancel()


async def test_a_silent_member_is_written_down_as_unhealthy(tmp_path: Path) -> None:
    with DatabaseThread(tmp_path / "a.db") as database:
        await database.opened()
        store = Store(database, Clock())
        proxy = Member(kind=MemberKind.PROXY, id="p1")
        await store.run(lambda state: state.register_proxy(proxy))
        watch = heartbeat_watch(store, Journal("tested"))
        await watch._overdue(PROXY)
        (record,) = await store.run(lambda state: state.members.all(MemberKind.PROXY))
        assert not record.healthy
