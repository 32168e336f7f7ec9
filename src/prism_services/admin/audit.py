"""Who changed what, and when: the newest ten thousand changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prism_services.admin.naming import LONGEST_NAME
from prism_services.admin.records import AuditRecord

if TYPE_CHECKING:
    import sqlite3

MOST_ENTRIES: Final = 10_000
"""Older entries are dropped."""
MOST_ENTRIES_READ: Final = 1000


class AuditLog:
    """The table ``audit_logs``, within a transaction."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self._now = now

    def add(self, action: str, subject: str, principal: str = "", detail: str = "") -> None:
        """Record one change."""
        added = self._connection.execute(
            "INSERT INTO audit_logs (at, action, subject, principal, detail) VALUES (?, ?, ?, ?, ?)",
            (self._now, action, subject, principal[:LONGEST_NAME], detail),
        )
        self._connection.execute(
            "DELETE FROM audit_logs WHERE id <= ?", ((added.lastrowid or 0) - MOST_ENTRIES,)
        )

    def entries(self, limit: int, before_id: int) -> tuple[AuditRecord, ...]:
        """The newest changes first: at most ``limit``, older than ``before_id`` unless that is 0."""
        rows = self._connection.execute(
            "SELECT id, at, action, subject, principal, detail FROM audit_logs"
            " WHERE ? <= 0 OR id < ? ORDER BY id DESC LIMIT ?",
            (before_id, before_id, max(1, min(limit, MOST_ENTRIES_READ))),
        )
        return tuple(
            AuditRecord(id=a, at=b, action=c, subject=d, principal=e, detail=f)
            for a, b, c, d, e, f in rows
        )
