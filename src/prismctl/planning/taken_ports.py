"""Ports that a plan cannot have: whether one can be had, who has it, and the refusal that names them all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from prismctl.domain.addressing import describe_holder
from prismctl.domain.host_port import HostPort
from prismctl.domain.port_owner import advise_on_container, stop_command
from prismctl.errors import PrismError, Problem
from prismctl.files.dashboard_place import load_place
from prismctl.files.stack_owners import recognize_stack
from prismctl.machine import is_port_free, reserve_port, who_holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import StackName
    from prismctl.files.paths import Home, StackPaths
    from prismctl.planning.request import Inquiry


def ports_of(plan: StackPlan | None) -> dict[tuple[str, str], HostPort]:
    """What the services of a plan have, by service and port name; nothing where there is none."""
    return {
        (service.name, port.name): port.host_port
        for service in (plan.services if plan else ())
        for port in service.ports
    }


class PortTakenError(PrismError):
    """Ports of the plan are held by somebody else."""

    code: ClassVar[str] = "port-taken"

    def __init__(
        self, conflicts: Sequence[PortConflict], *, otherwise: str = "start with --auto-ports"
    ) -> None:
        self.conflicts = tuple(conflicts)
        """Never empty; with the holders, as far as they can be seen."""
        self.problems = tuple(Problem(message=render_conflict(each)) for each in self.conflicts)
        """The same in words, one each."""
        count = len(self.conflicts)
        what = "it" if count == 1 else "them"
        super().__init__(
            self.problems[0].message if count == 1 else f"{count} ports are in use",
            hint=f"{_way_out(self.conflicts) or f'end {what}'}, or {otherwise}",
        )


def render_conflict(conflict: PortConflict) -> str:
    """A taken port in one line: which, whose, and who has it."""
    holder = conflict.holder
    who = describe_holder(holder, now=time.time()) or "another process"
    verb = "belongs to" if holder is not None and holder.on_behalf_of else "is in use by"
    return f"port {conflict.port} ({conflict.service}) {verb} {who}"


def can_have(port: HostPort, stack: StackName, inquiry: Inquiry) -> bool:
    """Whether a service of the stack could listen there, and no other start is about to."""
    paths = inquiry.home.stack(stack)
    if not is_port_free(*port) and not _is_of_own_page(port, paths):
        return False
    if not inquiry.request.reserves_ports or inquiry.request.is_trial:
        return True
    return reserve_port(port, str(paths.directory))


def _is_of_own_page(port: HostPort, paths: StackPaths) -> bool:
    """Whether the stack's own page is served there, which gives way to its services."""
    place = load_place(paths)
    if place.port is None or HostPort(place.port) != port:
        return False
    holder = who_holds(*port)
    return holder is not None and holder.pid == place.pid


def describe_who_has(port: HostPort, home: Home) -> str:
    """Who has a port that a start cannot have, in words."""
    if is_port_free(*port):
        return "another start has chosen it"
    return describe_holder(recognize_stack(who_holds(*port), home))


def name_holders(conflicts: Sequence[PortConflict], home: Home) -> list[PortConflict]:
    """The conflicts with who has the ports, as far as that can be seen."""
    return [
        each._replace(holder=recognize_stack(who_holds(*each.port), home)) for each in conflicts
    ]


def _way_out(conflicts: Sequence[PortConflict]) -> str:
    """How those who have the ports are ended by those who started them; empty where that is not known of all."""
    commands = []
    for conflict in conflicts:
        holder = conflict.holder
        if holder is not None and holder.owner is not None:
            commands.append(f"{stop_command(holder.owner)} stops it")
        elif holder is not None and holder.container is not None:
            commands.append(advise_on_container(holder.container))
        else:
            return ""
    return ", ".join(dict.fromkeys(commands))
