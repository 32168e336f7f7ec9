"""Proxies and launchers: who is there, and who is heard of."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

from prism_services.admin.naming import LONGEST_NAME, check_name
from prism_services.admin.partitions import PARTITIONS, Share, shares
from prism_services.admin.records import Liveness, Load, Member, MemberKind, MemberRecord
from prism_services.serving.refusal import Refusal, RefusalCode, invalid

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from prism_services.admin.audit import AuditLog

MOST_LAUNCHERS: Final = 1024
TABLES: Final = {MemberKind.PROXY: "proxies", MemberKind.LAUNCHER: "launchers"}
LIMITS: Final = {MemberKind.PROXY: PARTITIONS, MemberKind.LAUNCHER: MOST_LAUNCHERS}


class Members:
    """The tables ``proxies`` and ``launchers``, within a transaction."""

    def __init__(self, connection: sqlite3.Connection, now: int, audit: AuditLog) -> None:
        self._connection = connection
        self._now = now
        self._audit = audit

    def register(self, member: Member) -> bool:
        """Take in a member, or what has changed about it; says whether it is new."""
        check_name(f"{member.kind}_id", member.id)
        table = TABLES[member.kind]
        if member.max_processes < 0:
            raise invalid(f"max_processes must not be negative: {member.max_processes}")
        known = self._status_of(member.kind, member.id) is not None
        limit = LIMITS[member.kind]
        if not known and self._count(table) >= limit:
            raise Refusal(
                RefusalCode.RESOURCE_EXHAUSTED,
                f"there are {limit} {table} already, the most there can be",
            )
        now = self._now
        values: dict[str, Any] = {
            "id": member.id,
            "address": member.address,
            "region": member.region,
            "version": member.version,
            "capabilities": json.dumps(member.capabilities),
            "metadata": json.dumps(member.metadata),
            "status": Liveness.HEALTHY,
            "registered_at": now,
            "last_seen": now,
        }
        if member.kind is MemberKind.LAUNCHER:
            values |= {
                "process_types": json.dumps(member.process_types),
                "max_processes": member.max_processes,
                "available_slots": member.max_processes,
            }
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        updates = ", ".join(
            f"{name} = excluded.{name}" for name in values if name not in {"id", "registered_at"}
        )
        self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {updates}",  # noqa: S608 - names from constants
            tuple(values.values()),
        )
        self._audit.add(f"register-{member.kind}", member.id, detail=member.address[:LONGEST_NAME])
        return not known

    def heartbeat(self, kind: MemberKind, member_id: str, load: Load) -> bool:
        """Note that a member is alive and what it says; says whether it is registered."""
        check_name(f"{kind}_id", member_id)
        before = self._status_of(kind, member_id)
        if before is None:
            return False
        table, extra = TABLES[kind], _load_column(kind)
        extra_value = load.requests_per_second if kind is MemberKind.PROXY else load.available_slots
        self._connection.execute(
            f"UPDATE {table} SET status = ?, last_seen = ?, cpu_percent = ?, memory_mb = ?,"  # noqa: S608 - names from constants
            f" active = ?, {extra} = ? WHERE id = ?",
            (
                Liveness.HEALTHY,
                self._now,
                load.cpu_percent,
                load.memory_mb,
                load.active,
                extra_value,
                member_id,
            ),
        )
        if before != Liveness.HEALTHY:
            self._audit.add(f"{kind}-healthy", member_id, detail="heartbeats again")
        return True

    def mark_unhealthy(self, kind: MemberKind, member_id: str) -> bool:
        """Note that a member missed its heartbeats; says whether that is news."""
        if self._status_of(kind, member_id) != Liveness.HEALTHY:
            return False
        self._connection.execute(
            f"UPDATE {TABLES[kind]} SET status = ? WHERE id = ?",  # noqa: S608 - names from constants
            (Liveness.UNHEALTHY, member_id),
        )
        self._audit.add(f"{kind}-unhealthy", member_id, detail="missed its heartbeats")
        return True

    def all(self, kind: MemberKind) -> tuple[MemberRecord, ...]:
        """All proxies or all launchers, by id."""
        rows = self._connection.execute(_member_query(kind))
        return tuple(_member_record(kind, row) for row in rows)

    def everyone(self) -> Iterator[MemberRecord]:
        """Proxies and launchers alike."""
        return itertools.chain.from_iterable(self.all(kind) for kind in MemberKind)

    def shares(self) -> tuple[Share, ...]:
        """Which proxy has which partitions."""
        return shares(self.proxy_ids())

    def proxy_ids(self) -> list[str]:
        """The ids of all proxies."""
        return [row[0] for row in self._connection.execute("SELECT id FROM proxies")]

    def _count(self, table: str) -> int:
        number: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names from constants
        return number

    def _status_of(self, kind: MemberKind, member_id: str) -> Liveness | None:
        row = self._connection.execute(
            f"SELECT status FROM {TABLES[kind]} WHERE id = ?",  # noqa: S608 - names from constants
            (member_id,),
        ).fetchone()
        return Liveness(row[0]) if row else None


def _load_column(kind: MemberKind) -> str:
    return "requests_per_second" if kind is MemberKind.PROXY else "available_slots"


def _member_query(kind: MemberKind) -> str:
    extra = "'[]', 0" if kind is MemberKind.PROXY else "process_types, max_processes"
    return (
        "SELECT id, address, region, version, capabilities, metadata, status, registered_at, last_seen,"  # noqa: S608 - names from constants
        f" cpu_percent, memory_mb, active, {_load_column(kind)}, {extra} FROM {TABLES[kind]} ORDER BY id"
    )


def _member_record(kind: MemberKind, row: tuple[Any, ...]) -> MemberRecord:
    last = row[12]
    return MemberRecord(
        member=Member(
            kind=kind,
            id=row[0],
            address=row[1],
            region=row[2],
            version=row[3],
            capabilities=tuple(json.loads(row[4])),
            metadata=json.loads(row[5]),
            process_types=tuple(json.loads(row[13])),
            max_processes=row[14],
        ),
        status=Liveness(row[6]),
        registered_at=row[7],
        last_seen=row[8],
        load=Load(
            cpu_percent=row[9],
            memory_mb=row[10],
            active=row[11],
            requests_per_second=last if kind is MemberKind.PROXY else 0,
            available_slots=last if kind is MemberKind.LAUNCHER else 0,
        ),
    )
