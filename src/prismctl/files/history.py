"""What this machine knows of its past starts, in ``history.db``: a small SQLite file, one row a start.

Estimates are made from it and nothing depends on it: who writes goes on without it, who reads takes a missing one for
an empty one, and one that is damaged is put aside and begun again. Sqlite itself is only loaded once somebody asks.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from prismctl.domain.past_starts import PastAgent, PastService, PastStart
from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home

MAX_STARTS: Final = 1000
"""Older ones are removed: at most some hundred kB for stacks of usual size."""
MAX_SERVICE_ROWS: Final = 20_000
"""Of all starts together, should stacks be large: about 2 MB."""
WRITE_SECONDS: Final = 1.0
"""How long a writer waits for another one; a write takes milliseconds."""
READ_SECONDS: Final = 0.2
"""How long a reader waits: somebody looks at a terminal meanwhile."""
_VERSION: Final = 1
_DAMAGES: Final = frozenset({"SQLITE_ERROR", "SQLITE_CORRUPT", "SQLITE_NOTADB"})
"""What SQLite says of a file that is none of its own or has other tables: our statements are always the same."""
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS starts (
        id INTEGER PRIMARY KEY, started_at REAL NOT NULL, stack TEXT NOT NULL, engine TEXT NOT NULL,
        origin TEXT NOT NULL, ready_seconds REAL NOT NULL, lead_seconds REAL NOT NULL,
        has_pulled INTEGER NOT NULL, UNIQUE (stack, started_at))""",
    """CREATE TABLE IF NOT EXISTS agents (
        start INTEGER NOT NULL REFERENCES starts ON DELETE CASCADE, name TEXT NOT NULL,
        seconds REAL, is_cold INTEGER NOT NULL, PRIMARY KEY (start, name)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS services (
        start INTEGER NOT NULL REFERENCES starts ON DELETE CASCADE, position INTEGER NOT NULL,
        name TEXT NOT NULL, runtime TEXT NOT NULL, seconds REAL NOT NULL, replicas INTEGER NOT NULL,
        has_kept_data INTEGER NOT NULL, memory_bytes INTEGER, PRIMARY KEY (start, position))
        WITHOUT ROWID""",
)
_SELECT_STARTS: Final = (
    "SELECT id, started_at, stack, engine, origin, ready_seconds, lead_seconds, has_pulled"
    " FROM starts ORDER BY id DESC LIMIT ?"
)
_SELECT_AGENTS: Final = (
    "SELECT start, name, seconds, is_cold FROM agents"
    " WHERE start IN (SELECT id FROM starts ORDER BY id DESC LIMIT ?)"
)
_SELECT_SERVICES: Final = (
    "SELECT start, name, runtime, seconds, replicas, has_kept_data, memory_bytes FROM services"
    " WHERE start IN (SELECT id FROM starts ORDER BY id DESC LIMIT ?) ORDER BY start, position"
)


class HistoryError(PrismError):
    """The history cannot be read or written; nothing else is the worse for it."""

    code = "history"


def record_start(home: Home, start: PastStart) -> bool:
    """Add a start that came up; whether a damaged history had to be put aside for it.

    Raises:
        HistoryError: it cannot be written.
    """
    return _change(home, lambda database: _insert(database, start))


def record_memory(
    home: Home, *, stack: str, started_at: float, memory_bytes: Mapping[str, int]
) -> bool:
    """Add what one instance of each service of a start uses; the last word counts. Whether a damaged history was put aside.

    Raises:
        HistoryError: it cannot be written.
    """

    def update(database: sqlite3.Connection) -> None:
        database.executemany(
            "UPDATE services SET memory_bytes = ? WHERE name = ? AND start ="
            " (SELECT id FROM starts WHERE stack = ? AND started_at = ?)",
            [(size, name, stack, started_at) for name, size in memory_bytes.items()],
        )

    return _change(home, update)


def load_starts(home: Home, *, most: int = MAX_STARTS) -> tuple[PastStart, ...]:
    """The newest starts, the newest first; none where nothing was ever started.

    Raises:
        HistoryError: it cannot be read.
    """
    if not home.history.exists():
        return ()
    import sqlite3

    try:
        with _connection(home.history, "ro", READ_SECONDS) as database:
            version = _read_version(database, home.history)
            return _select(database, most) if version else ()
    except sqlite3.Error as error:
        raise HistoryError(f"cannot read {home.history}: {error}") from error
    except (TypeError, ValueError) as error:
        raise HistoryError(f"cannot read {home.history}: {error}") from error


def _change(home: Home, work: Callable[[sqlite3.Connection], None]) -> bool:
    import sqlite3

    path = home.history
    try:
        try:
            _carry_out(path, work)
        except sqlite3.DatabaseError as error:
            if _name_of(error) not in _DAMAGES:
                raise
            _put_aside(home)
            _carry_out(path, work)
            return True
    except sqlite3.Error as error:
        raise HistoryError(f"cannot write {path}: {error}") from error
    except OSError as error:
        raise HistoryError(
            f"cannot write {path}: {error.strerror}", hint=describe_way_out(error, path)
        ) from error
    return False


def _carry_out(path: Path, work: Callable[[sqlite3.Connection], None]) -> None:
    # SQLite would make it readable for all; its journal has the mode of the file.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with _connection(path, "rw", WRITE_SECONDS) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("BEGIN IMMEDIATE")
        _read_version(database, path)
        for table in _TABLES:
            database.execute(table)
        database.execute(f"PRAGMA user_version = {_VERSION}")
        work(database)
        _forget_oldest(database)
        database.execute("COMMIT")


@contextlib.contextmanager
def _connection(path: Path, mode: str, seconds: float) -> Iterator[sqlite3.Connection]:
    """A connection of which nothing is left: what was not committed is rolled back."""
    import sqlite3

    address = f"file:{quote(os.fsencode(path))}?mode={mode}"
    # Transactions are ours to begin.
    database = sqlite3.connect(address, uri=True, timeout=seconds, isolation_level=None)
    try:
        yield database
    finally:
        database.close()


def _read_version(database: sqlite3.Connection, path: Path) -> int:
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > _VERSION:
        raise HistoryError(f"{path} was written by a newer prismctl: it is left alone")
    return version


def _insert(database: sqlite3.Connection, start: PastStart) -> None:
    cursor = database.execute(
        "INSERT OR REPLACE INTO starts"
        " (started_at, stack, engine, origin, ready_seconds, lead_seconds, has_pulled)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            start.started_at,
            start.stack,
            start.engine,
            start.origin,
            start.ready_seconds,
            start.lead_seconds,
            start.has_pulled,
        ),
    )
    database.executemany(
        "INSERT INTO agents (start, name, seconds, is_cold) VALUES (?, ?, ?, ?)",
        [(cursor.lastrowid, each.name, each.seconds, each.is_cold) for each in start.agents],
    )
    database.executemany(
        "INSERT INTO services"
        " (start, position, name, runtime, seconds, replicas, has_kept_data, memory_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                cursor.lastrowid,
                position,
                each.name,
                each.runtime,
                each.seconds,
                each.replicas,
                each.has_kept_data,
                each.memory_bytes,
            )
            for position, each in enumerate(start.services)
        ],
    )


def _forget_oldest(database: sqlite3.Connection) -> None:
    """Keep within both bounds; the newest start stays, however large it is."""
    database.execute(
        "DELETE FROM starts WHERE id NOT IN (SELECT id FROM starts ORDER BY id DESC LIMIT ?)",
        (MAX_STARTS,),
    )
    total = 0
    counts = "SELECT start, COUNT(*) FROM services GROUP BY start ORDER BY start DESC"
    for index, (start, rows) in enumerate(database.execute(counts).fetchall()):
        total += rows
        if total > MAX_SERVICE_ROWS and index:
            database.execute("DELETE FROM starts WHERE id <= ?", (start,))
            return


def _select(database: sqlite3.Connection, most: int) -> tuple[PastStart, ...]:
    # One view of all three tables, whatever is written meanwhile.
    database.execute("BEGIN")
    starts: dict[int, PastStart] = {}
    for key, *values in database.execute(_SELECT_STARTS, (most,)):
        starts[key] = _start_of(values)
    agents: dict[int, list[PastAgent]] = {}
    for key, *values in database.execute(_SELECT_AGENTS, (most,)):
        agents.setdefault(key, []).append(_agent_of(values))
    services: dict[int, list[PastService]] = {}
    for key, *values in database.execute(_SELECT_SERVICES, (most,)):
        services.setdefault(key, []).append(_service_of(values))
    return tuple(
        replace(start, agents=tuple(agents.get(key, ())), services=tuple(services.get(key, ())))
        for key, start in starts.items()
    )


def _start_of(values: list[Any]) -> PastStart:
    started_at, stack, engine, origin, ready_seconds, lead_seconds, has_pulled = values
    return PastStart(
        started_at=float(started_at),
        stack=str(stack),
        engine=str(engine),
        origin=str(origin),
        ready_seconds=float(ready_seconds),
        lead_seconds=float(lead_seconds),
        has_pulled=bool(has_pulled),
    )


def _agent_of(values: list[Any]) -> PastAgent:
    name, seconds, is_cold = values
    return PastAgent(
        name=str(name),
        seconds=None if seconds is None else float(seconds),
        is_cold=bool(is_cold),
    )


def _service_of(values: list[Any]) -> PastService:
    name, runtime, seconds, replicas, has_kept_data, memory_bytes = values
    return PastService(
        name=str(name),
        runtime=str(runtime),
        seconds=float(seconds),
        replicas=int(replicas),
        has_kept_data=bool(has_kept_data),
        memory_bytes=None if memory_bytes is None else int(memory_bytes),
    )


def _name_of(error: sqlite3.Error) -> str:
    """The primary name of SQLite's error: ``SQLITE_CORRUPT`` of ``SQLITE_CORRUPT_INDEX`` too."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return "_".join(name.split("_")[:2])


def _put_aside(home: Home) -> None:
    """Take a damaged history out of the way; its journal belongs to it and says nothing to the next one."""
    with contextlib.suppress(FileNotFoundError):
        home.history.replace(home.damaged_history)
    home.history_journal.unlink(missing_ok=True)
