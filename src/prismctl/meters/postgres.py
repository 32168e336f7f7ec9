"""PostgreSQL: the transactions of all databases, from ``pg_stat_database``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.meters.line import Line
from prismctl.meters.meter import Counts
from prismctl.probes.postgres import MAX_MESSAGE_BYTES, PostgresTalk
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

FEWEST_CONNECTIONS: Final = 20
"""A server that lets fewer clients in than this has none to spare for being watched."""
TELLS_AT_ONCE: Final = 150_000
"""The first version that can be told to count what a session did at once, rather than some time later."""

_ABOUT: Final = "select current_setting('server_version_num'), current_setting('max_connections')"
_FLUSH: Final = "select pg_stat_force_next_flush()"
_COUNTERS: Final = """\
select coalesce(sum(xact_commit + xact_rollback), 0), coalesce(sum(xact_rollback), 0)
from pg_stat_database"""
_COUNTERS_AND_FLUSH: Final = """\
select coalesce(sum(xact_commit + xact_rollback), 0), coalesce(sum(xact_rollback), 0),
    (select pg_stat_force_next_flush())
from pg_stat_database"""


class PostgresMeter:
    """The counters of one PostgreSQL."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._line = Line(question, limit=MAX_MESSAGE_BYTES)
        self._talk: PostgresTalk | None = None
        self._query = ""
        self._own = 0
        """Transactions that the server counts for this meter: one a session, one a query."""

    async def read(self) -> Counts:
        """The counters now.

        Raises:
            NotReadyError: it refuses, has no connection to spare, or is no PostgreSQL.
        """
        if not self._line.is_open:
            self._talk = None
        async with self._line.conversation() as (reader, writer):
            if self._talk is None:
                self._talk = PostgresTalk(reader, writer, self._question)
                self._query = await self._introduce(self._talk)
            own = self._own
            row = await self._ask(self._talk, self._query)
        return decode_row(row, own)

    async def _introduce(self, talk: PostgresTalk) -> str:
        """Log in; the query for the counters."""
        if not await talk.log_in():
            raise NotReadyError("PostgreSQL wants to know who asks, and nobody said")
        self._own += 1
        version, connections = decode_about(await self._ask(talk, _ABOUT))
        if connections < FEWEST_CONNECTIONS:
            raise NotReadyError(f"PostgreSQL takes {connections} clients and has none to spare")
        if version < TELLS_AT_ONCE:
            return _COUNTERS
        # What was asked so far is counted with what is asked now.
        await self._ask(talk, _FLUSH)
        return _COUNTERS_AND_FLUSH

    async def _ask(self, talk: PostgresTalk, query: str) -> tuple[str | None, ...] | None:
        # Also one that is never answered may be counted.
        self._own += 1
        return await talk.ask(query)

    def close(self) -> None:
        """Take leave and hang up."""
        if self._talk is not None and self._line.is_open:
            self._talk.take_leave()
        self._talk = None
        self._line.close()


def decode_about(row: tuple[str | None, ...] | None) -> tuple[int, int]:
    """Version and how many clients it takes, as numbers.

    Raises:
        NotReadyError: they are none.
    """
    try:
        version, connections = (int(text or "") for text in row or ())
    except ValueError as error:
        raise NotReadyError(f"PostgreSQL says of itself {row}") from error
    return version, connections


def decode_row(row: tuple[str | None, ...] | None, own: int) -> Counts:
    """The counters.

    Raises:
        NotReadyError: there are none.
    """
    try:
        transactions, rollbacks, *_ = (int(text or "") for text in (row or ())[:2])
    except ValueError as error:
        raise NotReadyError(f"pg_stat_database says {row}") from error
    return Counts(transactions, own=own, errors=rollbacks)
