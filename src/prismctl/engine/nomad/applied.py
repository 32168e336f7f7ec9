"""A plan as it was handed to Nomad: what each instance is, where it listens, what its files are."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import ServiceName
from prismctl.engine.nomad import shim as shim_module
from prismctl.engine.nomad.environment_files import (
    render_environment_file,
    save_environment_file,
)
from prismctl.engine.nomad.job import ShimPlace, group_of, instance_keys
from prismctl.engine.replica_ports import ReplicaPorts
from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out
from prismctl.runtime.command import render_command

if TYPE_CHECKING:
    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.engine.nomad.decode import GroupId
    from prismctl.files.paths import StackPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPlan:
    """What shall run now."""

    plan: StackPlan
    ports: dict[InstanceKey, tuple[Port, ...]]
    """Where each instance listens."""
    groups: dict[GroupId, InstanceKey]
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
    replicas = ReplicaPorts(paths)
    ports: dict[InstanceKey, tuple[Port, ...]] = {}
    groups: dict[GroupId, InstanceKey] = {}
    place = shim_place(paths)
    for key in instance_keys(plan):
        service = replicas.plan_instance(key, plan)
        ports[key] = service.ports
        groups[group_of(plan, service, key.replica)] = key
        command = render_command(service, key.replica, plan, paths)
        content = render_environment_file(plan, service, command, consul_port)
        try:
            command.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PrismError(
                f"cannot make {command.data_directory}: {error.strerror}",
                hint=describe_way_out(error, paths.directory),
            ) from error
        save_environment_file(place.environment_file(key), content)
    replicas.keep({str(key) for key in ports})
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
