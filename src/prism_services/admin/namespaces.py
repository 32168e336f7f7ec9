"""Namespaces, and the proxies that serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism_services.admin.naming import LONGEST_NAME, check_name, check_version, outdated
from prism_services.admin.partitions import Share, owner, partition_of
from prism_services.admin.records import NamespaceCreation, NamespaceRecord, Outcome
from prism_services.serving.refusal import Refusal, RefusalCode, invalid

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from prism_services.admin.audit import AuditLog
    from prism_services.admin.members import Members


class Namespaces:
    """The table ``namespaces``, within a transaction."""

    def __init__(
        self, connection: sqlite3.Connection, now: int, audit: AuditLog, members: Members
    ) -> None:
        self._connection = connection
        self._now = now
        self._audit = audit
        self._members = members

    def of_share(self, share: Share) -> tuple[NamespaceRecord, ...]:
        """The namespaces that a proxy serves."""
        return self._select(
            "WHERE partition_id BETWEEN ? AND ? AND assigned_proxy = ?",
            (share.first, share.last, share.proxy_id),
        )

    def create(self, name: str, config: bytes, principal: str) -> NamespaceCreation:
        """Create a namespace with the proxy of its partition; one that exists is left as it is."""
        check_name("namespace", name)
        existing = self.find(name)
        if existing and existing.proxy_id:
            return NamespaceCreation(created=False, record=existing)
        proxy_id = self._proxy_for(name)
        if existing:
            self._connection.execute(
                "UPDATE namespaces SET assigned_proxy = ?, updated_at = ? WHERE name = ?",
                (proxy_id, self._now, name),
            )
        else:
            self._insert(name, proxy_id, config, version=1, principal=principal)
        self._audit.add("create-namespace", name, principal, f"assigned to {proxy_id}")
        return NamespaceCreation(created=existing is None, record=self._known(name))

    def assign(self, name: str, partition: int, config: bytes, version: int) -> Outcome:
        """Assign a namespace, with its configuration, to the proxy of its partition.

        ``partition`` and ``version`` may be 0, for not given; an older version than the known one changes nothing.
        """
        check_name("namespace", name)
        check_version(version)
        right = partition_of(name)
        if partition not in {0, right}:
            raise invalid(f"namespace {name!r} is in partition {right}, not {partition}")
        proxy_id, existing = self._proxy_for(name), self.find(name)
        if existing is None:
            self._insert(name, proxy_id, config, version=version or 1, principal="")
        elif version and version < existing.version:
            return outdated("namespace", name, version, existing.version)
        else:
            self._connection.execute(
                "UPDATE namespaces SET assigned_proxy = ?, config = ?, version = ?, updated_at = ?"
                " WHERE name = ?",
                (proxy_id, config, version or existing.version, self._now, name),
            )
        self._audit.add("assign-namespace", name, detail=f"assigned to {proxy_id}")
        return Outcome(success=True, message=f"Namespace assigned to proxy {proxy_id}")

    def revoke(self, proxy_id: str, name: str) -> Outcome:
        """Take a namespace from its proxy; it stays known, without one."""
        check_name("proxy_id", proxy_id)
        check_name("namespace", name)
        existing = self.find(name)
        if existing is None or existing.proxy_id != proxy_id:
            return Outcome(
                success=False,
                message=f"namespace {name!r} is not assigned to proxy {proxy_id!r}",
            )
        self._connection.execute(
            "UPDATE namespaces SET assigned_proxy = '', updated_at = ? WHERE name = ?",
            (self._now, name),
        )
        self._audit.add("revoke-namespace", name, detail=f"revoked from {proxy_id}")
        return Outcome(success=True, message="Namespace revoked successfully")

    def delete(self, name: str, principal: str) -> NamespaceRecord:
        """Forget a namespace; gives what it was."""
        check_name("namespace", name)
        existing = self.find(name)
        if existing is None:
            raise Refusal(RefusalCode.NOT_FOUND, f"namespace {name!r} does not exist")
        self._connection.execute("DELETE FROM namespaces WHERE name = ?", (name,))
        self._audit.add("delete-namespace", name, principal)
        return existing

    def find(self, name: str) -> NamespaceRecord | None:
        """One namespace; ``None`` when it is not known."""
        return next(iter(self._select("WHERE name = ?", (name,))), None)

    def all(self) -> tuple[NamespaceRecord, ...]:
        """All namespaces, by name."""
        return self._select("", ())

    def rebalance(self) -> None:
        """Give every namespace that has a proxy to the one that has its partition now."""
        for share in self._members.shares():
            self._connection.execute(
                "UPDATE namespaces SET assigned_proxy = ?"
                " WHERE partition_id BETWEEN ? AND ? AND assigned_proxy NOT IN ('', ?)",
                (share.proxy_id, share.first, share.last, share.proxy_id),
            )

    def _proxy_for(self, namespace: str) -> str:
        partition = partition_of(namespace)
        proxy_id = owner(partition, self._members.proxy_ids())
        if not proxy_id:
            raise Refusal(
                RefusalCode.FAILED_PRECONDITION,
                f"no proxy is registered for partition {partition} of namespace {namespace!r}",
            )
        return proxy_id

    def _insert(
        self, name: str, proxy_id: str, config: bytes, *, version: int, principal: str
    ) -> None:
        now = self._now
        self._connection.execute(
            "INSERT INTO namespaces VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                partition_of(name),
                proxy_id,
                config,
                version,
                principal[:LONGEST_NAME],
                now,
                now,
            ),
        )

    def _known(self, name: str) -> NamespaceRecord:
        record = self.find(name)
        assert record is not None  # noqa: S101 - written in this transaction
        return record

    def count(self) -> int:
        """How many there are."""
        number: int = self._connection.execute("SELECT count(*) FROM namespaces").fetchone()[0]
        return number

    def _select(self, where: str, values: Sequence[object]) -> tuple[NamespaceRecord, ...]:
        rows = self._connection.execute(
            "SELECT name, partition_id, assigned_proxy, config, version, created_by, created_at,"  # noqa: S608 - clauses from constants
            f" updated_at FROM namespaces {where} ORDER BY name",
            tuple(values),
        )
        return tuple(
            NamespaceRecord(
                name=a,
                partition=b,
                proxy_id=c,
                config=d,
                version=e,
                created_by=f,
                created_at=g,
                updated_at=h,
            )
            for a, b, c, d, e, f, g, h in rows
        )
