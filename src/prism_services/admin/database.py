"""The SQLite file: opening, its schema, and the one thread that works on it.

Every transaction syncs to disk, which takes milliseconds on a good day and much longer on a bad one; on a
thread of its own that never delays a health answer. One thread, so transactions are in order and need no locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self, TypeVar

from prism_services.serving.failure import ServiceError
from prism_services.serving.refusal import Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Result = TypeVar("Result")

LOCK_TIMEOUT_SECONDS: Final = 2.0
"""How long another process may hold the file (a backup, a curious ``sqlite3``)."""

MIGRATIONS: Final = (
    """
    CREATE TABLE namespaces (
        name TEXT PRIMARY KEY,
        partition_id INTEGER NOT NULL,
        assigned_proxy TEXT NOT NULL,
        config BLOB NOT NULL,
        version INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX namespaces_by_partition ON namespaces (partition_id);
    CREATE TABLE proxies (
        id TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        region TEXT NOT NULL,
        version TEXT NOT NULL,
        capabilities TEXT NOT NULL,
        metadata TEXT NOT NULL,
        status TEXT NOT NULL,
        registered_at INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        cpu_percent REAL NOT NULL DEFAULT 0,
        memory_mb INTEGER NOT NULL DEFAULT 0,
        active INTEGER NOT NULL DEFAULT 0,
        requests_per_second INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE launchers (
        id TEXT PRIMARY KEY,
        address TEXT NOT NULL,
        region TEXT NOT NULL,
        version TEXT NOT NULL,
        capabilities TEXT NOT NULL,
        metadata TEXT NOT NULL,
        process_types TEXT NOT NULL,
        max_processes INTEGER NOT NULL,
        status TEXT NOT NULL,
        registered_at INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        cpu_percent REAL NOT NULL DEFAULT 0,
        memory_mb INTEGER NOT NULL DEFAULT 0,
        active INTEGER NOT NULL DEFAULT 0,
        available_slots INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE patterns (
        id TEXT PRIMARY KEY,
        type TEXT NOT NULL,
        namespace TEXT NOT NULL,
        launcher_id TEXT NOT NULL,
        config BLOB NOT NULL,
        version INTEGER NOT NULL,
        status TEXT NOT NULL,
        assigned_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX patterns_by_launcher ON patterns (launcher_id);
    CREATE TABLE audit_logs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        principal TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    """,
)
"""Each takes the schema from its index to the next; one that was ever released is never changed."""
SCHEMA_VERSION: Final = len(MIGRATIONS)


class DatabaseThread:
    """Opens the database at once on a thread of its own, and runs transactions there in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._opening = self._executor.submit(open_database, path)

    def __enter__(self) -> Self:
        """Give itself; the database is open once ``opened`` has returned."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what was begun and close the file."""
        if self._opening.exception() is None:
            self._executor.submit(self._opening.result().close)
        self._executor.shutdown()

    async def opened(self) -> None:
        """Wait until the database is open; raises why it cannot be."""
        await asyncio.wrap_future(self._opening)

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do ``work`` in one transaction: all of it is on disk afterwards, or none."""
        connection = self._opening.result()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _transact, connection, work)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file, make it if need be, and bring its schema up to date."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Configurations of backends hold credentials: nobody else reads them.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise _unusable(path, (error.strerror or str(error)).lower()) from error
    try:
        connection = sqlite3.connect(
            path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _migrate(connection, path)
            stack.pop_all()
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Begin, then commit or roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _transact(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result]
) -> Result:
    try:
        with transaction(connection):
            return work(connection)
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a bug of ours; the others are the disk's
    except sqlite3.Error as error:
        raise Refusal(RefusalCode.UNAVAILABLE, f"the database did not take it: {error}") from error


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, applied_at INTEGER NOT NULL)"
    )
    current = _schema_version(connection)
    if current > SCHEMA_VERSION:
        raise ServiceError(
            f"the database {path} has schema {current}, newer than the {SCHEMA_VERSION} known here",
            hint="run the prism-admin that wrote it, or give another file with `--db`",
        )
    if current == SCHEMA_VERSION:
        return
    with transaction(connection):
        # Asked again, for another process may have done it while this one waited to begin.
        for version in range(_schema_version(connection), SCHEMA_VERSION):
            for statement in MIGRATIONS[version].split(";"):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_version VALUES (?, ?)", (version + 1, int(time.time()))
            )


def _schema_version(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    version: int = found[0]
    return version


def _unusable(path: Path, reason: str) -> ServiceError:
    return ServiceError(
        f"cannot open the database {path}: {reason}",
        hint="give another file with `--db sqlite:///PATH`, or move this one aside",
    )
