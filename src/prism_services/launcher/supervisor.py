"""Where pattern processes are run: what the launcher's gRPC service asks of whoever runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from prism_services.serving.refusal import Refusal, RefusalCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prism_services.launcher.isolation import Isolation
    from prism_services.launcher.patterns import Pattern


class ProcessState(StrEnum):
    """The life of a pattern process; the names of the protocol, without ``STATE_``."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    FAILED = "FAILED"
    """Its circuit breaker is open."""
    FINISHED = "FINISHED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """A valid request for a process."""

    process_id: str
    pattern: Pattern
    isolation: Isolation
    namespace: str
    session_id: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """The request's config: names are identifiers."""
    grace_seconds: float
    """Between SIGTERM and SIGKILL when it is terminated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What is known of one process at one moment."""

    process_id: str
    pattern_name: str
    isolation: Isolation
    namespace: str
    session_id: str
    state: ProcessState
    address: str
    """``host:port`` of its gRPC server."""
    healthy: bool
    pid: int
    uptime_seconds: int
    restart_count: int
    error_count: int
    last_error: str
    memory_mb: int
    cpu_percent: float


class PatternSupervisor(Protocol):
    """Runs pattern processes."""

    def reports(self) -> Sequence[ProcessReport]:
        """All processes it knows, in no particular order."""
        ...

    async def launch(self, order: LaunchOrder) -> ProcessReport:
        """Start the process, or find it running; refuses what cannot be started."""
        ...

    async def terminate(self, process_id: str, *, grace_seconds: float, force: bool) -> bool:
        """End the process; says whether it was known."""
        ...


class WithoutProcesses:
    """The supervisor of a launcher that runs none: it says so."""

    def reports(self) -> Sequence[ProcessReport]:
        """No process."""
        return ()

    async def launch(self, order: LaunchOrder) -> ProcessReport:
        """Refuse."""
        raise Refusal(
            RefusalCode.UNIMPLEMENTED,
            f"this launcher knows pattern {order.pattern.manifest.name!r} but cannot start processes",
        )

    async def terminate(self, process_id: str, *, grace_seconds: float, force: bool) -> bool:  # noqa: ARG002 - the protocol's signature
        """Know none."""
        return False
