"""From a service of the plan to the process that runs it; what every engine starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.domain.service import Runtime
from prismctl.runtime.binary import render_binary
from prismctl.runtime.builtin import render_builtin
from prismctl.runtime.container import render_container, render_container_environment
from prismctl.runtime.native import render_native

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.files.paths import StackPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCommand:
    """One process, ready to be started."""

    argv: tuple[str, ...]
    """The program is an absolute path."""
    env: dict[str, str]
    """The whole environment, secrets included; nothing is inherited."""
    cwd: str
    """Absolute; exists once the caller has made `data_directory`."""
    data_directory: Path
    """The service's own; to be created before the start."""
    ports: tuple[Port, ...]
    """Where this replica listens."""


def render_command(
    service: ServicePlan, replica: int, plan: StackPlan, paths: StackPaths
) -> ProcessCommand:
    """The process of one instance, whose own plan this is.

    Raises:
        MissingToolError: the program is not there, or nothing can run the image.
        PrismError: the plan names a packaged service that does not exist.
    """
    data_directory = paths.data_of(service.name, replica)
    directory = service.working_directory or str(data_directory)
    environment = render_environment(service, replica, plan)
    if service.runtime is Runtime.CONTAINER:
        argv = render_container(service, replica, plan, paths)
        # The directory that the catalog names is inside.
        directory = str(data_directory)
    else:
        argv = _render_argv(service, environment, directory, str(data_directory), paths)
    return ProcessCommand(
        argv=argv,
        env=environment,
        cwd=directory,
        data_directory=data_directory,
        ports=service.ports,
    )


def render_environment(service: ServicePlan, replica: int, plan: StackPlan) -> dict[str, str]:
    """The starter's base, then the ports, then what the catalog gives, then who the process is."""
    own: dict[str, str] = {}
    if service.ports:
        own["PORT"] = str(service.ports[0].inner_number)
    for port in service.ports:
        own[f"PORT_{_variable_name(port.name)}"] = str(port.inner_number)
    own.update(service.env)
    own["PRISM_STACK"] = plan.stack
    own["PRISM_SERVICE"] = service.name
    own["PRISM_REPLICA"] = str(replica)
    if service.runtime is Runtime.CONTAINER:
        return render_container_environment(plan.base_env, own, plan)
    return {**plan.base_env, **own}


def _render_argv(
    service: ServicePlan, environment: dict[str, str], directory: str, data: str, paths: StackPaths
) -> tuple[str, ...]:
    if service.runtime is Runtime.BUILTIN:
        return render_builtin(service)
    if service.runtime is Runtime.BINARY:
        return render_binary(service)
    return render_native(service, environment, directory, data, paths)


def _variable_name(name: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in name
    ).upper()
