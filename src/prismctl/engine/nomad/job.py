"""From the plan to Nomad's jobs, in the JSON form that its API takes; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import CheckType
from prismctl.engine.nomad.configuration import DATACENTER, MAX_KILL_SECONDS
from prismctl.engine.nomad.decode import GroupId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.domain.service import HealthCheck, ServiceName

_SECOND: Final = 1_000_000_000
"""Durations are nanoseconds on the wire."""
RESTART_ATTEMPTS: Final = 5
RESTART_INTERVAL_SECONDS: Final = 60
RESTART_DELAY_SECONDS: Final = 0.1
NEVER_SECONDS: Final = 10 * 365 * 24 * 3600
CHECK_INTERVAL_SECONDS: Final = 2.0
"""At most; the first check comes at a random moment within it, so it bounds when Consul shows a service as passing."""
LOG_FILES: Final = 4
LOG_FILE_MB: Final = 10
"""Nomad's own files are only a stop on the way to ours: they have to hold what is printed while nobody copies."""
DISK_MB: Final = 2 * LOG_FILES * LOG_FILE_MB + 20

DIGEST_META: Final = "prism_digest"
SERVICE_META: Final = "prism_service"
REPLICA_META: Final = "prism_replica"

_INTERRUPTED: Final = frozenset({"postgres"})
"""Programs for which SIGTERM means "once all clients have left" and SIGINT means "now, in good order"."""
_CONSUL_CHECKS: Final = frozenset({CheckType.TCP, CheckType.HTTP, CheckType.GRPC})
"""What Consul can ask by itself; it runs no commands here. Of what else is asked at a port, it sees that it accepts."""
RUN_SUFFIX: Final = ".run"
"""How the name of a run file ends; before that comes the instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimPlace:
    """How Nomad starts a service: always through the shim, which finds the rest in files of ours."""

    python: str
    script: Path
    environments: Path

    def arguments(self, key: InstanceKey) -> list[str]:
        """What follows the interpreter for one instance."""
        return [
            "-I",
            "-S",
            str(self.script),
            str(self.environment_file(key)),
            str(self.run_file(key)),
        ]

    def environment_file(self, key: InstanceKey) -> Path:
        """Command and environment of one instance (0600)."""
        return self.environments / f"{key}.env"

    def run_file(self, key: InstanceKey) -> Path:
        """What the shim says of the present run of one instance."""
        return self.environments / f"{key}{RUN_SUFFIX}"


def group_name(service: ServicePlan, replica: int) -> str:
    """The group of one instance; each has its own, because each has its own ports."""
    return service.group if replica == 0 else f"{service.group}-replica-{replica}"


def job_of(plan: StackPlan, service: ServicePlan) -> str:
    """The job of one service: the stack's, or for a one-shot its own.

    A new version of a batch job runs all of it again; what is done shall stay done when something else changes.
    """
    return f"{_once_prefix(plan)}{service.name}" if service.one_shot else plan.job_id


def is_job_of(plan: StackPlan, job_id: str) -> bool:
    """Whether a job belongs to the stack, be it of this plan or of an earlier one."""
    return job_id == plan.job_id or job_id.startswith(_once_prefix(plan))


def _once_prefix(plan: StackPlan) -> str:
    return f"{plan.job_id}-once-"


def group_of(plan: StackPlan, service: ServicePlan, replica: int) -> GroupId:
    """The group of one instance, with its job."""
    return GroupId(job_of(plan, service), group_name(service, replica))


def can_consul_ask(service: ServicePlan) -> bool:
    """Whether Consul can make the check of a service; without one it asks whether the first TCP port accepts."""
    if service.check is None:
        return first_tcp_port(service.ports) is not None
    return service.check.type in _CONSUL_CHECKS


def find_consul_check(service: ServicePlan) -> CheckType | None:
    """The nearest to a service's check that Consul can make; ``None`` when it can make nothing of it."""
    check = service.check
    if can_consul_ask(service):
        return CheckType.TCP if check is None else check.type
    return CheckType.TCP if check is not None and check.type.is_asked_at_port else None


def first_tcp_port(ports: Iterable[Port]) -> Port | None:
    """Where a connection can be made, if anywhere."""
    return next((port for port in ports if port.is_tcp), None)


def consul_name(service: ServiceName) -> str:
    """The service's name in Consul, which is also one in DNS."""
    return re.sub(r"[^a-zA-Z0-9-]+", "-", service).strip("-") or "service"


def instance_keys(plan: StackPlan) -> list[InstanceKey]:
    """Everything that shall run, in start order."""
    return [
        InstanceKey(service.name, replica)
        for service in plan.services
        for replica in range(service.replicas)
    ]


def render_jobs(
    plan: StackPlan,
    ports: Mapping[InstanceKey, tuple[Port, ...]],
    shim: ShimPlace,
    *,
    registration: int = 0,
    stopped: Collection[InstanceKey] = (),
) -> dict[str, dict[str, Any]]:
    """All jobs of a plan by their ids.

    ``registration`` is written to every service in Consul: a new number makes Nomad register them all again
    without touching a process. Groups of ``stopped`` instances stay, with nothing in them.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    batch = {job_of(plan, service) for service in plan.services if service.one_shot}
    for service in plan.services:
        for replica in range(service.replicas):
            key = InstanceKey(service.name, replica)
            group = _render_group(service, key, ports[key], shim, registration)
            if key in stopped:
                group["Count"] = 0
            groups.setdefault(job_of(plan, service), []).append(group)
    return {
        job_id: {
            "ID": job_id,
            "Name": job_id,
            "Datacenters": [DATACENTER],
            **(_BATCH if job_id in batch else _SERVICE),
            "TaskGroups": members,
        }
        for job_id, members in groups.items()
    }


_BATCH: Final = {"Type": "batch"}
# Nothing rolls: every change of a development stack is wanted at once.
_SERVICE: Final = {"Type": "service", "Update": {"MaxParallel": 0}}


def _render_group(
    service: ServicePlan,
    key: InstanceKey,
    ports: tuple[Port, ...],
    shim: ShimPlace,
    registration: int,
) -> dict[str, Any]:
    group: dict[str, Any] = {
        "Name": group_name(service, key.replica),
        "Count": 1,
        "Meta": {
            DIGEST_META: service.digest,
            SERVICE_META: service.name,
            REPLICA_META: str(key.replica),
        },
        "RestartPolicy": {
            # What is to be done once is not done again when it goes wrong.
            "Attempts": 0 if service.one_shot else RESTART_ATTEMPTS,
            "Interval": RESTART_INTERVAL_SECONDS * _SECOND,
            "Delay": int(RESTART_DELAY_SECONDS * _SECOND),
            "Mode": "fail",
        },
        # What Nomad gave up on is placed again when somebody asks for it, which it only does for groups that
        # it may place again by itself some day.
        "ReschedulePolicy": {
            "Attempts": 0,
            "Interval": 0,
            "Unlimited": True,
            "DelayFunction": "constant",
            "Delay": NEVER_SECONDS * _SECOND,
            "MaxDelay": NEVER_SECONDS * _SECOND,
        },
        "EphemeralDisk": {"SizeMB": DISK_MB},
        "Tasks": [_render_task(service, key, shim)],
    }
    reserved = _render_ports(service, ports)
    if reserved:
        group["Networks"] = [{"Mode": "host", "ReservedPorts": reserved}]
    if service.ports:
        group["Services"] = [_render_service(service, ports, registration)]
    return group


def _render_task(service: ServicePlan, key: InstanceKey, shim: ShimPlace) -> dict[str, Any]:
    return {
        "Name": service.name,
        "Driver": "raw_exec",
        "Config": {"command": shim.python, "args": shim.arguments(key)},
        "Resources": {
            "CPU": service.resources.cpu_mhz,
            "MemoryMB": service.resources.memory_mb,
            # What is asked for only places a task; it never ends one.
            "MemoryMaxMB": -1,
        },
        "LogConfig": {"MaxFiles": LOG_FILES, "MaxFileSizeMB": LOG_FILE_MB},
        "KillSignal": kill_signal(service),
        "KillTimeout": int(min(service.end_seconds, MAX_KILL_SECONDS) * _SECOND),
    }


def kill_signal(service: ServicePlan) -> str:
    """With which signal a service is asked to end; Nomad knows one before SIGKILL."""
    program = (service.command[0] if service.command else service.program).rpartition("/")[2]
    return "SIGINT" if program in _INTERRUPTED else "SIGTERM"


def _render_ports(service: ServicePlan, ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    # Nomad takes a number for one port, whatever the protocol; whoever has the same number for TCP would be refused.
    reserved = [
        {"Label": port_label(port.name), "Value": port.number} for port in ports if port.is_tcp
    ]
    check = service.check
    if (
        check is not None
        and find_consul_check(service) is not None
        and _check_label(service, check) == _CHECK_LABEL
    ):
        reserved.append({"Label": _CHECK_LABEL, "Value": check.port})
    return reserved


_CHECK_LABEL: Final = "prism_check"
"""For a check on a port that is none of the service's own."""


def port_label(name: str) -> str:
    """A port's name as Nomad takes it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _check_label(service: ServicePlan, check: HealthCheck | None) -> str:
    first = first_tcp_port(service.ports)
    if (check is None or check.port is None) and first is not None:
        return port_label(first.name)
    for port in service.ports:
        if port.is_tcp and check is not None and check.port in {port.number, port.name}:
            return port_label(port.name)
    return _CHECK_LABEL


def _render_service(
    service: ServicePlan, ports: tuple[Port, ...], registration: int
) -> dict[str, Any]:
    rendered: dict[str, Any] = {
        "Name": consul_name(service.name),
        "Provider": "consul",
        **_render_address(ports[0]),
        "Meta": {"registration": str(registration)},
    }
    kind = find_consul_check(service)
    if kind is not None:
        rendered["Checks"] = [_render_check(service, kind, service.check)]
    return rendered


def _render_address(port: Port) -> dict[str, Any]:
    """Where Consul says that a service is: at a port that Nomad has reserved, or at a number that it knows nothing of."""
    if port.is_tcp:
        return {"PortLabel": port_label(port.name)}
    return {"Address": port.host, "PortLabel": str(port.number)}


def _render_check(
    service: ServicePlan, kind: CheckType, check: HealthCheck | None
) -> dict[str, Any]:
    rendered: dict[str, Any] = {"Type": kind.value, "PortLabel": _check_label(service, check)}
    if check is None:
        interval, timeout = CHECK_INTERVAL_SECONDS, CHECK_INTERVAL_SECONDS
    else:
        if kind is CheckType.HTTP:
            rendered["Path"] = check.path
        # Neither may be under a second, Nomad says.
        interval = max(1.0, min(check.interval_seconds, CHECK_INTERVAL_SECONDS))
        timeout = max(1.0, check.timeout_seconds)
    return {
        "Name": f"{consul_name(service.name)} answers",
        **rendered,
        "Interval": int(interval * _SECOND),
        "Timeout": int(timeout * _SECOND),
    }
