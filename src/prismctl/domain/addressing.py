"""Which service listens where. Numbers that somebody asked for are kept, others are found and stay the same.

A free port is looked for from a number that follows from stack, service and port name, so that the
next start finds the same one. The range lies below the one from which outgoing connections take theirs: a
number that is free now cannot be taken by somebody's browser a moment later.
"""

from __future__ import annotations

from dataclasses import replace
from time import localtime, strftime
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.plan import LOOPBACK, Port
from prismctl.domain.port_owner import describe_container, describe_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from prismctl.domain.port_owner import ContainerOwner, StackOwner
    from prismctl.domain.service import PortDefinition, ServiceDefinition, ServiceName

FIRST_DYNAMIC_PORT: Final = 20000
DYNAMIC_PORTS: Final = 10000


class PortHolder(NamedTuple):
    """Who has a port, as far as it can be seen."""

    pid: int | None = None
    """``None`` when the process belongs to somebody whose processes cannot be looked into."""
    command: str = ""
    """Program and arguments as one short line."""
    user: str = ""
    since: float | None = None
    """When the process was started, in seconds since the epoch."""
    owner: StackOwner | None = None
    """The stack that it has the port for."""
    container: ContainerOwner | None = None
    """The container that it has the port for."""

    @property
    def on_behalf_of(self) -> str:
        """Whose port it is, in words, where that is not the process's own: ``redis of stack u1``; else empty."""
        if self.owner is not None:
            return describe_owner(self.owner)
        return describe_container(self.container) if self.container is not None else ""


def describe_holder(holder: PortHolder | None, *, now: float | None = None) -> str:
    """Who has a port, in words; empty where nobody can be seen.

    In few words: ``PID 811, postgres -D /data``, ``redis of stack u1``. With all that is known:
    ``PID 811, postgres -D /data, user ana, since 10:24``, ``redis of stack u1 (PID 811, since 10:24)``.

    Args:
        holder: who it is, as far as that could be seen.
        now: when it is told, in seconds since the epoch; without it, few words do.
    """
    if holder is None:
        return ""
    process = f"PID {holder.pid}" if holder.pid is not None else ""
    user = f"user {holder.user}" if holder.user else ""
    since = ""
    if now is not None and holder.since is not None:
        since = f"since {_clock(holder.since, now)}"
    if holder.on_behalf_of:
        details = _list_of(process, since) if now is not None else ""
        return f"{holder.on_behalf_of} ({details})" if details else holder.on_behalf_of
    process = process or "another process"
    if now is None:
        return _list_of(process, holder.command or user)
    return _list_of(process, holder.command, user, since)


def _list_of(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _clock(moment: float, now: float) -> str:
    """The time of day; for what is longer ago, the day as well."""
    is_recent = now - moment < 24 * 3600
    return strftime("%H:%M" if is_recent else "%Y-%m-%d %H:%M", localtime(moment))


class PortConflict(NamedTuple):
    """A port of the plan that somebody else has."""

    number: int
    service: ServiceName
    port_name: str
    holder: PortHolder | None = None
    """``None`` until somebody has looked."""
    protocol: PortProtocol = PortProtocol.TCP

    @property
    def port(self) -> HostPort:
        """What both want."""
        return HostPort(self.number, self.protocol)


class Clash(NamedTuple):
    """A port that two services of one plan were given by somebody."""

    port: HostPort
    first: ServiceName
    second: ServiceName


class Assignment(NamedTuple):
    """Every port of a plan, and what is in its way."""

    ports: Mapping[ServiceName, tuple[Port, ...]]
    conflicts: tuple[PortConflict, ...]
    clashes: tuple[Clash, ...]


def assign_ports(
    services: Sequence[ServiceDefinition],
    *,
    stack: str,
    is_free: Callable[[HostPort], bool],
    replaces_taken: bool = False,
    replaceable: Container[tuple[str, str]] = frozenset(),
    current: Mapping[tuple[str, str], HostPort] | None = None,
    who_has: Callable[[HostPort], str] = lambda _: "",
) -> Assignment:
    """Give every port of every service a number; no two of one protocol get the same.

    Args:
        services: in the plan's order.
        stack: names the stack; another one prefers other numbers.
        is_free: whether a port can be listened on.
        replaces_taken: a number that is taken is replaced by a free one, instead of being a conflict.
        replaceable: the same for these alone, by service and port name.
        current: what services of the running stack have, by service and port name: kept where possible.
        who_has: who has a port that is not free, in words; asked only about those that are replaced.
    """
    clashes: list[Clash] = []
    owners = _settle_fixed(services, clashes)
    used = set(owners)
    conflicts: list[PortConflict] = []
    fixed: dict[tuple[str, str], Port] = {}
    for asked, (service, port) in owners.items():
        if is_free(asked):
            fixed[service.name, port.name] = _settled(port.name, asked)
        elif not replaces_taken and (service.name, port.name) not in replaceable:
            fixed[service.name, port.name] = _settled(port.name, asked)
            number, protocol = asked
            conflicts.append(PortConflict(number, service.name, port.name, protocol=protocol))
    assigned: dict[ServiceName, tuple[Port, ...]] = {}
    for service in services:
        ports = []
        for port in service.ports:
            wanted = port.wanted
            if service.host and wanted is not None:
                ports.append(_settled(port.name, wanted, host=service.host))
                continue
            known = fixed.get((service.name, port.name))
            if known is None:
                first = (current or {}).get((service.name, port.name)) or HostPort(
                    preferred_port(stack, service.name, port.name)
                )
                found = find_free_port(first._replace(protocol=port.protocol), used, is_free)
                used.add(found)
                known = replace(_settled(port.name, found), is_dynamic=True)
                if wanted is not None:
                    owner = owners[wanted][0]
                    is_lost = owner is not service
                    taken_by = owner.name if is_lost else who_has(wanted)
                    known = replace(known, wanted=wanted.number, taken_by=taken_by)
            ports.append(known)
        assigned[service.name] = tuple(ports)
    return Assignment(assigned, tuple(conflicts), tuple(clashes))


def _settled(name: str, port: HostPort, *, host: str = LOOPBACK) -> Port:
    return Port(name=name, number=port.number, host=host, protocol=port.protocol)


def preferred_port(stack: str, service: str, port_name: str) -> int:
    """Where the search for a free port begins."""
    text = f"{stack}/{service}/{port_name}"
    return FIRST_DYNAMIC_PORT + crc32(text.encode()) % DYNAMIC_PORTS


def _settle_fixed(
    services: Sequence[ServiceDefinition], clashes: list[Clash]
) -> dict[HostPort, tuple[ServiceDefinition, PortDefinition]]:
    """Who gets which asked-for port: what somebody wrote goes before what ships, the earlier before the later.

    A packaged number that loses is looked for like one that was never asked for.
    """
    owners: dict[HostPort, tuple[ServiceDefinition, PortDefinition]] = {}
    # What runs elsewhere has its numbers there.
    asked = [(service, port) for service in services if not service.host for port in service.ports]
    for is_explicit in (True, False):
        for service, port in asked:
            wanted = port.wanted
            if wanted is None or port.is_explicit is not is_explicit:
                continue
            other = owners.setdefault(wanted, (service, port))[0]
            if is_explicit and other is not service:
                clashes.append(Clash(wanted, other.name, service.name))
    return owners


def find_free_port(
    first: HostPort, used: Container[HostPort], is_free: Callable[[HostPort], bool]
) -> HostPort:
    """The first port of a protocol from ``first`` on, around the range, that is not used and is free.

    Raises:
        LookupError: there is none.
    """
    for step in range(DYNAMIC_PORTS + 1):
        # The first number may lie outside the range: it is what a running service has.
        port = first if step == 0 else first._replace(number=_wrap(first.number + step))
        if port not in used and is_free(port):
            return port
    raise LookupError(
        f"no free port in {FIRST_DYNAMIC_PORT}-{FIRST_DYNAMIC_PORT + DYNAMIC_PORTS - 1}"
    )


def _wrap(number: int) -> int:
    return FIRST_DYNAMIC_PORT + (number - FIRST_DYNAMIC_PORT) % DYNAMIC_PORTS
