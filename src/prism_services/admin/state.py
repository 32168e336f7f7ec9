"""The control plane's state within one transaction, and what needs more than one table of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prism_services.admin.audit import AuditLog
from prism_services.admin.members import Members
from prism_services.admin.namespaces import Namespaces
from prism_services.admin.processes import Processes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from prism_services.admin.partitions import Share
    from prism_services.admin.records import Member, NamespaceRecord, ProcessRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All tables. Every change leaves a line in the audit log; a refusal undoes the whole transaction."""

    audit: AuditLog
    members: Members
    namespaces: Namespaces
    processes: Processes

    def register_proxy(self, proxy: Member) -> tuple[Share, tuple[NamespaceRecord, ...]]:
        """Take in a proxy; one more moves partitions between all of them."""
        if self.members.register(proxy):
            self.namespaces.rebalance()
        share = next(share for share in self.members.shares() if share.proxy_id == proxy.id)
        return share, self.namespaces.of_share(share)

    def register_launcher(self, launcher: Member) -> tuple[ProcessRecord, ...]:
        """Take in a launcher; gives the processes assigned to it."""
        self.members.register(launcher)
        return self.processes.of_launcher(launcher.id)


def state_at(connection: sqlite3.Connection, clock: Callable[[], float]) -> State:
    """The state of an open transaction; all changes made through it carry the same time."""
    now = int(clock())
    audit = AuditLog(connection, now)
    members = Members(connection, now, audit)
    return State(
        audit=audit,
        members=members,
        namespaces=Namespaces(connection, now, audit, members),
        processes=Processes(connection, now, audit, members),
    )
