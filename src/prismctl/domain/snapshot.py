"""The state of a stack at one moment: what every front end reads, and the status document it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.rates import NO_TRAFFIC
from prismctl.domain.trouble import find_to_blame, is_ill
from prismctl.domain.waiting import find_waiting, render_waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.plan import Port
    from prismctl.domain.rates import Traffic
    from prismctl.domain.service import ServiceName, StackName
    from prismctl.domain.setback import Setback

SCHEMA_VERSION: Final = 1
"""Of the status document; fields are only ever added."""


class StackState(StrEnum):
    """The first word of an answer to "how is it?"."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    """A part of it is not up: it was, or should be by now."""
    FAILED = "failed"
    STOPPING = "stopping"


class ServiceState(StrEnum):
    """The same for one service, and for one instance of it."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be waited for: it is up, done, or will not come."""
        return self.is_good or self is ServiceState.FAILED

    @property
    def is_on_its_way(self) -> bool:
        """It is not up, and may still come up by itself."""
        return self in {ServiceState.WAITING, ServiceState.STARTING, ServiceState.UNHEALTHY}

    @property
    def is_good(self) -> bool:
        """What depends on it can go on."""
        return self in GOOD_STATES


GOOD_STATES: Final = frozenset({ServiceState.HEALTHY, ServiceState.COMPLETED})
"""Those in which all is well: what depends on the service can go on."""


def is_as_asked(service: Mapping[str, Any]) -> bool:
    """Whether a service of a status document is what it was asked to be: up, or scaled to no instances."""
    if service["state"] in GOOD_STATES:
        return True
    wanted = (service.get("replicas") or {}).get("wanted", 1)
    return bool(wanted == 0 and service["state"] == ServiceState.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSnapshot:
    """One replica."""

    index: int
    state: ServiceState
    reason: str = ""
    pid: int | None = None
    started_at: float | None = None
    restarts: int = 0
    ports: tuple[Port, ...] = ()
    memory_bytes: int | None = None
    """``None``, like every figure that could not be measured."""
    cpu_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSnapshot:
    """One service with its replicas."""

    name: ServiceName
    type: str
    runtime: str
    state: ServiceState
    reason: str = ""
    """Why it is not healthy, in one line with the last probe error; empty when it is."""
    runtime_reason: str = ""
    """Why it runs in this way; empty when there was nothing to decide."""
    replicas_wanted: int = 1
    instances: tuple[InstanceSnapshot, ...] = ()
    ports: tuple[Port, ...] = ()
    restarts: int = 0
    depends_on: tuple[ServiceName, ...] = ()
    last_error: str | None = None
    """How the latest run that went wrong ended, or the last probe error; kept when it is healthy again."""
    setback: Setback | None = None
    """When the latest run ended that did so by itself."""
    note: str = ""
    """What is said beside it: why it is not well, else how it last went wrong."""
    alarm: bool = False
    """It went wrong just now, or is down since: shown like something that failed, also when it is up again."""
    healthy_after_seconds: float | None = None
    """From the plan being handed over to the first healthy moment."""
    source: str = ""
    traffic: Traffic = NO_TRAFFIC

    @property
    def stands_still(self) -> bool:
        """It was scaled to no instances, and has none any more: nobody waits for it."""
        return self.replicas_wanted == 0 and self.state is ServiceState.STOPPED

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be waited for: of each instance it is clear that it is up, or will not be."""
        wanted = self.instances[: self.replicas_wanted]
        each_is = bool(wanted) and all(instance.state.is_settled for instance in wanted)
        return self.state.is_settled or self.stands_still or each_is

    @property
    def has_failed(self) -> bool:
        """It will not come up, or not in all the instances that were asked for."""
        wanted = self.instances[: self.replicas_wanted]
        return self.state is ServiceState.FAILED or any(
            instance.state is ServiceState.FAILED for instance in wanted
        )

    @property
    def is_good(self) -> bool:
        """All is as it was asked to be: what depends on it can go on."""
        return self.state.is_good or self.stands_still

    @property
    def replicas_healthy(self) -> int:
        """How many instances are good."""
        return sum(instance.state.is_good for instance in self.instances)

    @property
    def memory_bytes(self) -> int | None:
        """Of all instances that it is known of, children included."""
        known = [each.memory_bytes for each in self.instances if each.memory_bytes is not None]
        return sum(known) if known else None

    @property
    def cpu_percent(self) -> float | None:
        """Of one core, all instances that it is known of, children included."""
        known = [each.cpu_percent for each in self.instances if each.cpu_percent is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSnapshot:
    """A whole stack."""

    stack: StackName
    engine: str
    state: StackState
    services: tuple[ServiceSnapshot, ...] = ()
    """In start order."""
    origin: str = ""
    started_at: float | None = None
    """When the command that started it began, in seconds since the epoch."""
    apply_seconds: float | None = None
    """From the plan being handed to the engine until all was ready."""
    ready_seconds: float | None = None
    """From the starting command's own beginning until all was ready."""
    memory_limit_bytes: int = 0
    """What this machine has."""
    endpoints: dict[str, str] = field(default_factory=dict)
    """Addresses for people, by name: ``nomad_ui``, ``consul_ui``."""
    components: dict[str, str] = field(default_factory=dict)
    """The engine's agents and their states."""
    notes: tuple[str, ...] = ()
    """What somebody should know: what was swept, what was restarted, how old stale parts are."""

    @property
    def memory_bytes(self) -> int | None:
        """Of all services that it is known of."""
        known = [each.memory_bytes for each in self.services if each.memory_bytes is not None]
        return sum(known) if known else None

    @property
    def has_failed(self) -> bool:
        """Whether some service will not come up."""
        return any(service.has_failed for service in self.services)

    def service(self, name: str) -> ServiceSnapshot:
        """The service of that name.

        Raises:
            KeyError: there is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)


def stopped_snapshot(stack: StackName, engine: str = "") -> StackSnapshot:
    """The snapshot of a stack of which nothing runs."""
    return StackSnapshot(stack=stack, engine=engine, state=StackState.STOPPED)


def render_time(seconds: float | None) -> str | None:
    """Seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def render_status(snapshot: StackSnapshot, now: float) -> dict[str, Any]:
    """The status document, schema 1; ``now`` in seconds since the epoch."""
    return {
        "schema": SCHEMA_VERSION,
        "stack": snapshot.stack,
        "engine": snapshot.engine,
        "state": snapshot.state.value,
        "origin": snapshot.origin,
        "started_at": render_time(snapshot.started_at),
        "uptime_seconds": _age(snapshot.started_at, now),
        "apply_seconds": _rounded(snapshot.apply_seconds),
        "ready_seconds": _rounded(snapshot.ready_seconds),
        "memory_bytes": snapshot.memory_bytes,
        "memory_limit_bytes": snapshot.memory_limit_bytes,
        "endpoints": dict(snapshot.endpoints),
        "components": dict(snapshot.components),
        "notes": list(snapshot.notes),
        "waiting": render_waiting(find_waiting(snapshot)),
        "services": _mark_trouble([_render_service(service, now) for service in snapshot.services]),
    }


def _mark_trouble(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The services with who is not well and who is to blame, so that no front end has to find that out in its own way."""
    to_blame = find_to_blame(services)
    return [
        {**service, "ill": is_ill(service), "to_blame": service["name"] in to_blame}
        for service in services
    ]


def _render_service(service: ServiceSnapshot, now: float) -> dict[str, Any]:
    first = service.instances[0] if service.instances else None
    return {
        "name": service.name,
        "type": service.type,
        "runtime": service.runtime,
        "runtime_reason": service.runtime_reason,
        "source": service.source,
        "state": service.state.value,
        "reason": service.reason,
        "replicas": {"wanted": service.replicas_wanted, "healthy": service.replicas_healthy},
        "instances": [
            {
                "index": instance.index,
                "pid": instance.pid,
                "state": instance.state.value,
                "reason": instance.reason,
                "restarts": instance.restarts,
                "started_at": render_time(instance.started_at),
                "uptime_seconds": _uptime(instance, now),
                "memory_bytes": instance.memory_bytes,
                "cpu_percent": _rounded(instance.cpu_percent, 1),
                "ports": _render_ports(instance.ports),
            }
            for instance in service.instances
        ],
        "ports": _render_ports(service.ports),
        "pid": first.pid if first else None,
        "uptime_seconds": _uptime(first, now) if first else None,
        "healthy_after_seconds": _rounded(service.healthy_after_seconds),
        "restarts": service.restarts,
        "memory_bytes": service.memory_bytes,
        "cpu_percent": _rounded(service.cpu_percent, 1),
        "requests_per_second": _rounded(service.traffic.requests_per_second, 2),
        "errors_per_second": _rounded(service.traffic.errors_per_second, 2),
        "latency_p95_seconds": _rounded(service.traffic.latency_p95_seconds, 7),
        "requests_total": service.traffic.requests_total,
        "requests_unit": service.traffic.unit,
        "depends_on": list(service.depends_on),
        "last_error": service.last_error,
        "last_exit": _render_setback(service.setback),
        "note": service.note,
        "alarm": service.alarm,
    }


def _render_setback(setback: Setback | None) -> dict[str, Any] | None:
    if setback is None:
        return None
    return {"at": render_time(setback.at), "instance": setback.instance}


def _render_ports(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": port.name,
            "host": port.host,
            "port": port.number,
            "protocol": port.protocol.value,
        }
        for port in ports
    ]


def _uptime(instance: InstanceSnapshot, now: float) -> float | None:
    return _age(instance.started_at, now) if instance.pid is not None else None


def _age(since: float | None, now: float) -> float | None:
    return None if since is None else round(max(0.0, now - since), 1)


def _rounded(figure: float | None, digits: int = 3) -> float | None:
    return None if figure is None else round(figure, digits)
