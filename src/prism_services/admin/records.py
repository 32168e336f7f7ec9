"""What the control plane knows, as values. Times are whole seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Liveness(StrEnum):
    """Whether a proxy or a launcher is heard of."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """It missed its heartbeats."""
    UNKNOWN = "unknown"


class MemberKind(StrEnum):
    """Who sends heartbeats."""

    PROXY = "proxy"
    LAUNCHER = "launcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A proxy or a launcher as it introduces itself."""

    kind: MemberKind
    id: str
    address: str = ""
    region: str = ""
    version: str = ""
    capabilities: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    process_types: tuple[str, ...] = ()
    """Of a launcher; empty: it takes every type."""
    max_processes: int = 0
    """Of a launcher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a heartbeat says; what does not apply to the sender is 0."""

    cpu_percent: float = 0.0
    memory_mb: int = 0
    active: int = 0
    """Namespaces of a proxy, processes of a launcher."""
    requests_per_second: int = 0
    available_slots: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """A proxy or a launcher as it is known."""

    member: Member
    status: Liveness
    registered_at: int
    last_seen: int
    load: Load

    @property
    def healthy(self) -> bool:
        """Whether its heartbeats come."""
        return self.status is Liveness.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceRecord:
    """A namespace as it is known."""

    name: str
    partition: int
    proxy_id: str
    """Empty after it was revoked from its proxy."""
    config: bytes
    """``prism.NamespaceConfig``, serialized."""
    version: int
    created_by: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """A process that is assigned to a launcher."""

    process_id: str
    process_type: str
    namespace: str
    launcher_id: str
    config: bytes
    """``prism.ProcessConfig``, serialized."""
    version: int
    status: str
    assigned_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One change, and who asked for it."""

    id: int
    at: int
    action: str
    subject: str
    principal: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether a change was made, and why not."""

    success: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceCreation:
    """What came of a request to create a namespace."""

    created: bool
    record: NamespaceRecord
