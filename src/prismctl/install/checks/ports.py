"""The ports that the catalog asks for: free, held by a stack of this home, or in somebody else's hands."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.addressing import describe_holder
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.plan import port_from_json
from prismctl.domain.port_owner import end_container_command, stop_command, who_command
from prismctl.domain.presets import PRESETS
from prismctl.files.stack_owners import recognize_stack
from prismctl.install.checks.finding import Finding, State
from prismctl.install.checks.marked import find_marked, find_marked_ancestor
from prismctl.machine import is_port_free, who_holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.addressing import PortHolder
    from prismctl.domain.offering import Catalog
    from prismctl.domain.service import ServiceDefinition
    from prismctl.install.checks.surroundings import Surroundings

_UNIT: Final = re.compile(r"/system\.slice/(?:[^/\n]+/)*([^/\n]+)\.service$", re.MULTILINE)


class PortFacts(NamedTuple):
    """One port that services of the catalog ask for."""

    number: int
    services: tuple[str, ...]
    is_usual: bool
    """Whether one of them is in a preset, or always started."""
    is_free: bool = True
    holder: PortHolder | None = None
    stack: str = ""
    """Of this home, that has it."""
    is_other_home: bool = False
    """Whether a stack of another home has it."""
    unit: str = ""
    """The service of the system that the holder is."""
    is_replaced: bool = False
    """Whether a start takes another one in its place."""
    protocol: PortProtocol = PortProtocol.TCP

    @property
    def port(self) -> HostPort:
        """What they ask for."""
        return HostPort(self.number, self.protocol)


def gather_ports(surroundings: Surroundings) -> tuple[PortFacts, ...]:
    """Every number of the catalog, and who has it."""
    wanted = list_ports(surroundings.catalog)
    held = {facts.port for facts in wanted if not is_port_free(*facts.port)}
    if not held:
        return wanted
    marked = find_marked(surroundings.home, surroundings.marks)
    planned = _planned_ports(surroundings)
    facts = []
    for each in wanted:
        if each.port not in held:
            facts.append(each)
            continue
        holder = recognize_stack(who_holds(*each.port), surroundings.home)
        pid = holder.pid if holder else None
        owner = holder.owner if holder else None
        starter = find_marked_ancestor(pid, marked) if pid is not None else None
        # Whoever cannot be seen may still be ours: a container's port belongs to another user's process.
        stack = starter.stack if starter else ("" if pid else planned.get(each.port, ""))
        if owner is not None and not owner.is_other_home:
            stack = owner.stack
        facts.append(
            each._replace(
                is_free=False,
                holder=holder,
                stack=stack,
                is_other_home=not stack and (starter is not None or owner is not None),
                unit=_find_unit(pid) if pid is not None else "",
                is_replaced=surroundings.takes_other_ports,
            )
        )
    return tuple(facts)


def list_ports(catalog: Catalog) -> tuple[PortFacts, ...]:
    """Every port that the catalog asks for, in its order, with who does."""
    in_presets = {name for preset in PRESETS.values() for name in preset.services}

    def is_usual(service: ServiceDefinition) -> bool:
        return service.required or service.default or service.name in in_presets

    services: dict[HostPort, list[ServiceDefinition]] = {}
    for service in catalog.services.values():
        for port in service.ports:
            if port.wanted is not None:
                services.setdefault(port.wanted, []).append(service)
    return tuple(
        PortFacts(
            number=port.number,
            protocol=port.protocol,
            services=tuple(dict.fromkeys(each.name for each in asking)),
            is_usual=any(is_usual(each) for each in asking),
        )
        for port, asking in services.items()
    )


def _planned_ports(surroundings: Surroundings) -> dict[HostPort, str]:
    """The stack that has each port by its plan, of those that run."""
    planned: dict[HostPort, str] = {}
    for stack in surroundings.stacks:
        if not stack.is_attended:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(stack.paths.plan.read_text(encoding="utf-8"))
            for service in document["services"]:
                for port in service["ports"]:
                    planned[port_from_json(port).host_port] = stack.paths.name
    return planned


def _find_unit(pid: int) -> str:
    with contextlib.suppress(OSError):
        return find_unit_name(Path("/proc", str(pid), "cgroup").read_text(encoding="utf-8"))
    return ""


def find_unit_name(groups: str) -> str:
    """The unit of systemd that a process is in, by its control groups; empty: none of the system's."""
    found = _UNIT.search(groups)
    return found[1] if found else ""


def judge_ports(facts: Sequence[PortFacts]) -> tuple[Finding, ...]:
    """A finding for each number somebody else has, after one for all the others."""
    free = sum(each.is_free for each in facts)
    ours: dict[str, list[PortFacts]] = {}
    for each in facts:
        if each.stack:
            ours.setdefault(each.stack, []).append(each)
    all_of_them = f"all {free} of the catalog are free"
    words = [
        all_of_them if free == len(facts) else f"{free} of the catalog's {len(facts)} are free"
    ]
    for stack, ports in ours.items():
        numbers = ", ".join(str(each.port) for each in ports)
        words.append(f"{numbers} held by stack `{stack}`, which is this home's")
    general = Finding(name="ports", title="ports", state=State.FINE, detail="; ".join(words))
    strangers = (_judge_held(each) for each in facts if not each.is_free and not each.stack)
    return (general, *strangers)


def _judge_held(facts: PortFacts) -> Finding:
    name, title = f"port-{facts.port}".replace("/", "-"), f"port {facts.port}"
    who = describe_holder(facts.holder, now=time.time()) or "somebody who cannot be seen"
    detail = f"{', '.join(facts.services)}: held by {who}"
    if facts.is_replaced:
        detail += "; a start takes another one"
        return Finding(name=name, title=title, state=State.FINE, detail=detail)
    return Finding(
        name=name,
        title=title,
        state=State.PROBLEM if facts.is_usual else State.WARNING,
        detail=detail,
        fix=f"{_ending(facts)}, or start with --auto-ports",
    )


def _ending(facts: PortFacts) -> str:
    holder = facts.holder
    if holder is not None and holder.owner is not None:
        return stop_command(holder.owner, mark="")
    if facts.is_other_home:
        return "prismctl dev stop (with the PRISM_HOME it was started with)"
    if holder is not None and holder.container is not None:
        return end_container_command(holder.container, mark="")
    if facts.unit:
        return f"systemctl stop {facts.unit}"
    if holder is not None and holder.pid is not None:
        return f"kill {holder.pid}"
    return f"{who_command(facts.port, sys.platform)} (shows who it is)"
