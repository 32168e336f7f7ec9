"""Where the page is served: a port of loopback that nobody has, and that nobody in the plan wants."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.service import Runtime
from prismctl.machine import is_port_free, reserve_port

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from prismctl.domain.plan import Port, ServicePlan, StackPlan

TRIES: Final = 100
"""How many numbers are tried from the wanted one on."""
BACKLOG: Final = 64
_MAX_PORT: Final = 65535


class Listening(NamedTuple):
    """A port that is had, on every loopback address that `localhost` may mean."""

    port: int
    sockets: tuple[socket.socket, ...]
    obstacle: str
    """Why it is not the wanted one; empty when it is."""


def ports_had_by(plan: StackPlan) -> dict[int, str]:
    """Which service of the plan has which port of this machine."""
    return {port.number: service.name for service, port in _ports_here(plan)}


def ports_wanted_by(plan: StackPlan) -> dict[int, str]:
    """Which service of the plan has which port, or would like to."""
    wanted = {
        port.wanted: service.name for service, port in _ports_here(plan) if port.wanted is not None
    }
    return wanted | ports_had_by(plan)


def _ports_here(plan: StackPlan) -> Iterator[tuple[ServicePlan, Port]]:
    for service in plan.services:
        if service.runtime is not Runtime.EXTERNAL:
            for port in service.ports:
                if port.host_port.protocol is PortProtocol.TCP:
                    yield service, port


def listen_near(
    numbers: Sequence[int], *, wanted_by: dict[int, str], owner: str
) -> Listening | None:
    """Listen at the first number that can be had; ``None`` where none of them can.

    Args:
        numbers: in order of preference.
        wanted_by: what services have or want, and who that is.
        owner: for whom the port is kept while it is being chosen.
    """
    obstacle = ""
    for number in numbers:
        if number in wanted_by:
            obstacle = obstacle or f"port {number} is {wanted_by[number]}'s"
            continue
        if not is_port_free(number) or not reserve_port(HostPort(number), owner):
            obstacle = obstacle or f"port {number} is taken"
            continue
        sockets = _bind(number)
        if sockets:
            return Listening(number, sockets, obstacle)
        obstacle = obstacle or f"port {number} is taken"
    return None


def numbers_from(wanted: int, *, first: int | None = None) -> list[int]:
    """The numbers that are tried; ``first`` is the one that was had before."""
    numbers = list(range(wanted, min(wanted + TRIES, _MAX_PORT + 1)))
    return numbers if first is None else [first, *(each for each in numbers if each != first)]


def _bind(number: int) -> tuple[socket.socket, ...]:
    """Sockets on both loopback addresses; on one where the machine has only that; none where somebody has either."""
    bound: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            bound.append(_bind_one(family, address, number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                _close(bound)
                return ()
            # No IPv6 here, or no right to low ports: then the caller looks elsewhere.
    return tuple(bound)


def _bind_one(family: socket.AddressFamily, address: str, number: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections that have ended are not in the way of the same port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, number))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _close(sockets: Collection[socket.socket]) -> None:
    for each in sockets:
        each.close()
