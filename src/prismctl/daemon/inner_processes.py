"""The processes inside the containers of a stack: what its engine started is only the client that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.containers import PODMAN
from prismctl.domain.service import Runtime
from prismctl.runtime.container import container_name
from prismctl.runtime.container_records import read_process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import StackPaths


class InnerProcess(NamedTuple):
    """The first process inside a container."""

    pid: int
    """As this machine numbers it."""
    unpause: str
    """The command that lets the container go on when it is paused."""


def find_inner_processes(
    instances: Iterable[InstanceKey], plan: StackPlan, paths: StackPaths
) -> dict[InstanceKey, InnerProcess]:
    """Of every instance that the plan has in a container and that has got so far."""
    kind = plan.containers.kind if plan.containers is not None else PODMAN
    contained = {
        service.name: service for service in plan.services if service.runtime is Runtime.CONTAINER
    }
    names = {
        key: container_name(contained[key.service], key.replica, paths)
        for key in instances
        if key.service in contained
    }
    found = {key: read_process(paths, name) for key, name in names.items()}
    return {
        key: InnerProcess(pid, f"{kind} unpause {names[key]}")
        for key, pid in found.items()
        if pid is not None
    }
