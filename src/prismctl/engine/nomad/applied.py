"""A plan as it was handed to Nomad: what each instance is, where it listens, what its files are."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl.domain.observation import InstanceKey
from prismctl.domain.plan import Port
from prismctl.domain.service import ServiceName
from prismctl.engine.nomad import shim as shim_module
from prismctl.engine.nomad.environment_files import (
    render_environment_file,
    save_environment_file,
)
from prismctl.engine.nomad.job import ShimPlace, group_name, instance_keys, job_of
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.runtime.command import render_command
from prismctl.runtime.replica_ports import choose_replica_ports

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.files.paths import StackPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPlan:
    """What shall run now."""

    plan: StackPlan
    ports: dict[InstanceKey, tuple[Port, ...]]
    """Where each instance listens."""
    groups: dict[tuple[str, str], InstanceKey] = field(default_factory=dict)
    """Which instance a job's group is."""

    def service(self, key: InstanceKey) -> ServicePlan:
        """The service of an instance."""
        return self.plan.service(key.service)

    def own_ports(self, key: InstanceKey) -> tuple[Port, ...]:
        """An instance's ports where they differ from the plan's, else none."""
        return self.ports[key] if key.replica else ()


def shim_place(paths: StackPaths) -> ShimPlace:
    """Where the shim and its files are."""
    return ShimPlace(
        python=sys.executable,
        script=Path(shim_module.__file__),
        environments=paths.environments,
    )


def prepare(plan: StackPlan, paths: StackPaths, consul_port: int) -> AppliedPlan:
    """Choose ports of replicas, write everything that the shims will read, make data directories.

    Raises:
        PrismError: a command cannot be made, or a file cannot be written.
    """
    record = paths.agents / "replica-ports.json"
    known = _load_ports(record)
    ports: dict[InstanceKey, tuple[Port, ...]] = {}
    groups: dict[tuple[str, str], InstanceKey] = {}
    place = shim_place(paths)
    for key in instance_keys(plan):
        service = plan.service(key.service)
        there = known.get(str(key), ())
        is_same = [port.name for port in there] == [port.name for port in service.ports]
        ports[key] = (
            there
            if key.replica and there and is_same
            else choose_replica_ports(service, key.replica)
        )
        groups[job_of(plan, service), group_name(service, key.replica)] = key
        command = render_command(service, key.replica, plan, paths, ports=ports[key])
        content = render_environment_file(plan, service, command, consul_port)
        try:
            command.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PrismError(
                f"cannot make {command.data_directory}: {error.strerror}",
                hint="make the directory writable, or point PRISM_HOME somewhere else",
            ) from error
        save_environment_file(place.environment_file(key), content)
    replicas = {str(key): [asdict(port) for port in ports[key]] for key in ports if key.replica}
    if replicas or record.exists():
        write_atomically(record, json.dumps(replicas) + "\n")
    return AppliedPlan(plan=plan, ports=ports, groups=groups)


def remove_files(paths: StackPaths, key: InstanceKey) -> None:
    """Remove what the shim of an instance was told and said."""
    place = shim_place(paths)
    for path in (place.environment_file(key), place.run_file(key)):
        with contextlib.suppress(OSError):
            path.unlink()


def parse_key(text: str) -> InstanceKey:
    """The instance that ``redis#0`` names."""
    name, _, replica = text.rpartition("#")
    return InstanceKey(ServiceName(name), int(replica))


def _load_ports(path: Path) -> dict[str, tuple[Port, ...]]:
    try:
        data: dict[str, list[dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
        return {key: tuple(Port(**port) for port in ports) for key, ports in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
