"""Processes that the control plane wants, and the launchers that run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prism_services.admin.naming import check_name, check_version, outdated
from prism_services.admin.records import MemberKind, Outcome, ProcessRecord
from prism_services.serving.refusal import Refusal, RefusalCode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from prism_services.admin.audit import AuditLog
    from prism_services.admin.members import Members

ASSIGNED: Final = "assigned"
"""Status of a process that a launcher was told of."""


class Processes:
    """The table ``patterns``, within a transaction."""

    def __init__(
        self, connection: sqlite3.Connection, now: int, audit: AuditLog, members: Members
    ) -> None:
        self._connection = connection
        self._now = now
        self._audit = audit
        self._members = members

    def of_launcher(self, launcher_id: str) -> tuple[ProcessRecord, ...]:
        """The processes assigned to one launcher."""
        return self._select("WHERE launcher_id = ?", (launcher_id,))

    def assign(
        self, *, process_id: str, process_type: str, namespace: str, config: bytes, version: int
    ) -> Outcome:
        """Assign a process to the healthy launcher of its type with the fewest; a known one keeps its launcher.

        ``version`` may be 0, for not given; an older one than the known one changes nothing.
        """
        check_name("process_id", process_id)
        check_name("process_type", process_type)
        check_version(version)
        existing = next(iter(self._select("WHERE id = ?", (process_id,))), None)
        if existing and version and version < existing.version:
            return outdated("process", process_id, version, existing.version)
        launcher_id = existing.launcher_id if existing else self._launcher_for(process_type)
        self._connection.execute(
            "INSERT INTO patterns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " type = excluded.type, namespace = excluded.namespace, config = excluded.config,"
            " version = excluded.version, updated_at = excluded.updated_at",
            (
                process_id,
                process_type,
                namespace,
                launcher_id,
                config,
                version or (existing.version if existing else 1),
                ASSIGNED,
                self._now,
                self._now,
            ),
        )
        self._audit.add("assign-process", process_id, detail=f"assigned to {launcher_id}")
        return Outcome(success=True, message=f"Process assigned to launcher {launcher_id}")

    def revoke(self, launcher_id: str, process_id: str) -> Outcome:
        """Take a process from its launcher, and forget it."""
        check_name("launcher_id", launcher_id)
        check_name("process_id", process_id)
        found = self._connection.execute(
            "DELETE FROM patterns WHERE id = ? AND launcher_id = ?", (process_id, launcher_id)
        )
        if not found.rowcount:
            return Outcome(
                success=False,
                message=f"process {process_id!r} is not assigned to launcher {launcher_id!r}",
            )
        self._audit.add("revoke-process", process_id, detail=f"revoked from {launcher_id}")
        return Outcome(success=True, message="Process revoked successfully")

    def all(self) -> tuple[ProcessRecord, ...]:
        """All processes, by id."""
        return self._select("", ())

    def _launcher_for(self, process_type: str) -> str:
        suitable = [
            record.member
            for record in self._members.all(MemberKind.LAUNCHER)
            if record.healthy
            and (not record.member.process_types or process_type in record.member.process_types)
        ]
        if not suitable:
            raise Refusal(
                RefusalCode.FAILED_PRECONDITION,
                f"no healthy launcher takes processes of type {process_type!r}",
            )
        assigned = dict(
            self._connection.execute(
                "SELECT launcher_id, count(*) FROM patterns GROUP BY launcher_id"
            )
        )
        free = [
            (assigned.get(launcher.id, 0), launcher.id)
            for launcher in suitable
            if assigned.get(launcher.id, 0) < launcher.max_processes
        ]
        if not free:
            raise Refusal(
                RefusalCode.RESOURCE_EXHAUSTED,
                f"every launcher that takes processes of type {process_type!r} is full",
            )
        return min(free)[1]

    def count(self) -> int:
        """How many there are."""
        number: int = self._connection.execute("SELECT count(*) FROM patterns").fetchone()[0]
        return number

    def _select(self, where: str, values: Sequence[object]) -> tuple[ProcessRecord, ...]:
        rows = self._connection.execute(
            "SELECT id, type, namespace, launcher_id, config, version, status, assigned_at,"  # noqa: S608 - clauses from constants
            f" updated_at FROM patterns {where} ORDER BY id",
            tuple(values),
        )
        return tuple(
            ProcessRecord(
                process_id=a,
                process_type=b,
                namespace=c,
                launcher_id=d,
                config=e,
                version=f,
                status=g,
                assigned_at=h,
                updated_at=i,
            )
            for a, b, c, d, e, f, g, h, i in rows
        )
