"""A container: the command line of the program that keeps one (`run_container`), and what it passes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.containers import KEEPER_LABEL, PODMAN, name_container
from prismctl.domain.host_port import protocol_suffix
from prismctl.domain.servers.postgres import POSTGRES
from prismctl.errors import MissingToolError
from prismctl.runtime import run_container
from prismctl.runtime.servers import postgres_image_check_here
from prismctl.runtime.servers.data_check import render_data_check
from prismctl.runtime.servers.launch import render_script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.files.paths import StackPaths


def container_name(service: ServicePlan, replica: int, paths: StackPaths) -> str:
    """The same for every run of an instance, and for no other instance of any home."""
    return name_container(paths.keeper_id, service.name, replica)


def place_volume(volume: str, data: Path) -> str:
    """The volume with a place on this machine: one that has only a name is a directory of the service's data."""
    host, colon, inside = volume.partition(":")
    return f"{data / host}{colon}{inside}" if "/" not in host else volume


def render_container(
    service: ServicePlan, replica: int, plan: StackPlan, paths: StackPaths
) -> tuple[str, ...]:
    """The command line under which the container of one instance is kept.

    Raises:
        MissingToolError: the plan has nothing that runs containers.
    """
    tool = plan.containers
    if tool is None:
        raise MissingToolError(
            f"{service.name}: the image {service.program} needs Podman or Docker",
            hint="`prismctl dev init` installs Podman",
        )
    labels = {
        KEEPER_LABEL: paths.keeper_id,
        "prism.stack": plan.stack,
        "prism.service": service.name,
        "prism.replica": str(replica),
    }
    options = [word for name, text in labels.items() for word in ("--label", f"{name}={text}")]
    # What it prints is taken from the client; the tool's own copy would only grow.
    options += ["--log-driver", "none"]
    if tool.kind == PODMAN:
        options += ["--pull", "never"]
    options += _network_options(service)
    if service.resources.memory_limit_mb is not None:
        options += ["--memory", f"{service.resources.memory_limit_mb}m"]
    if service.working_directory:
        options += ["--workdir", service.working_directory]
    if service.user:
        options += ["--user", service.user]
    data = paths.data_of(service.name, replica)
    volumes = [place_volume(volume, data) for volume in service.volumes]
    for volume in volumes:
        options += ["--volume", volume]
    program = (sys.executable, "-I", "-S", str(Path(run_container.__file__)))
    name = container_name(service, replica, paths)
    head = (*program, tool.kind, tool.program, name, str(paths.containers), str(data))
    grace = f"{service.stop_grace_seconds:g}"
    command = (*head, grace, str(len(options)), *options, service.program, *service.args)
    place = render_data_check(service, str(data))
    if service.driver != POSTGRES.driver:
        return (*place, *command)
    check = (*render_script(postgres_image_check_here.__file__), str(data), tool.kind, tool.program)
    return (*place, *check, service.program, str(len(volumes)), *volumes, *command)


def render_container_environment(
    base: Mapping[str, str], given: Mapping[str, str], plan: StackPlan
) -> dict[str, str]:
    """The environment of the program that keeps the container: the client's own, and what the container is given."""
    own = plan.containers.environment if plan.containers else {}
    prefix = run_container.VARIABLE_PREFIX
    return {**base, **own, **{f"{prefix}{name}": value for name, value in given.items()}}


def _network_options(service: ServicePlan) -> list[str]:
    if service.has_host_network:
        return ["--network", "host"]
    return [word for port in service.ports for word in ("--publish", _published(port))]


def _published(port: Port) -> str:
    suffix = protocol_suffix(port.protocol)
    return f"{port.host}:{port.number}:{port.inner_number}{suffix}"
