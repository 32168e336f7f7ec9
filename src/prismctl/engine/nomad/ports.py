"""Ports of the agents: the usual ones where they are free, others where not, the same ones ever after."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.plan import LOOPBACK
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.machine.ports import reservation_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPorts:
    """Every port that the two agents listen on."""

    nomad_http: int = 4646
    nomad_rpc: int = 4647
    nomad_serf: int = 4648
    consul_http: int = 8500
    consul_dns: int = 8600
    consul_server: int = 8300
    consul_serf: int = 8301

    @property
    def nomad_address(self) -> str:
        """Nomad's HTTP, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.nomad_http}"

    @property
    def consul_address(self) -> str:
        """Consul's HTTP, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.consul_http}"


NAMES: Final = tuple(AgentPorts.__dataclass_fields__)
UDP_TOO: Final = frozenset({"nomad_serf", "consul_serf", "consul_dns"})
"""Gossip and DNS need the same number for both protocols."""


def is_free(number: int, *, udp: bool) -> bool:
    """Whether the port can be bound on loopback now."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if udp else (socket.SOCK_STREAM,)
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as trial:
            if kind is socket.SOCK_STREAM:
                # A port in TIME_WAIT is free for an agent, which sets this too.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, number))
            except OSError:
                return False
    return True


class PortReservations:
    """Ports that this process has chosen and nobody may have bound yet, so that two stacks never choose the same.

    Held as names of unix sockets that exist in the kernel only (Linux): gone with the process, leaving no file.
    """

    def __init__(self) -> None:
        self._held: dict[HostPort, socket.socket] = {}

    def reserve(self, number: int, *, udp: bool = False) -> bool:
        """Whether the port is this process's to use, where wanted for both protocols."""
        return self._reserve(HostPort(number)) and (
            not udp or self._reserve(HostPort(number, PortProtocol.UDP))
        )

    def _reserve(self, port: HostPort) -> bool:
        if port in self._held or sys.platform != "linux":
            return True
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0{reservation_name(port)}")
        except OSError:
            holder.close()
            return False
        self._held[port] = holder
        return True

    def keep_only(self, ports: AgentPorts | None) -> None:
        """Give back what was reserved and is not one of these."""
        kept = {getattr(ports, name) for name in NAMES} if ports else set()
        for port in [each for each in self._held if each.number not in kept]:
            self._held.pop(port).close()


def choose_agent_ports(is_usable: Callable[[str, int], bool]) -> AgentPorts:
    """The usual ports when all of one agent's are usable, else a free one for each that is not."""
    usual = AgentPorts()
    chosen: dict[str, int] = {}
    for name in NAMES:
        number: int = getattr(usual, name)
        while not is_usable(name, number) or number in chosen.values():
            number = _any_free_port()
        chosen[name] = number
    return AgentPorts(**chosen)


def ensure_agent_ports(path: Path, reservations: PortReservations) -> AgentPorts:
    """The recorded ports while all of them can still be had; else new ones, recorded; reserved either way.

    Raises:
        PrismError: the record cannot be written.
    """

    def is_usable(name: str, number: int) -> bool:
        udp = name in UDP_TOO
        return reservations.reserve(number, udp=udp) and is_free(number, udp=udp)

    recorded = load_agent_ports(path)
    if recorded is not None and all(is_usable(name, getattr(recorded, name)) for name in NAMES):
        return recorded
    ports = choose_agent_ports(is_usable)
    reservations.keep_only(ports)
    write_atomically(path, json.dumps(asdict(ports), indent=1) + "\n")
    return ports


def load_agent_ports(path: Path) -> AgentPorts | None:
    """The ports that were recorded; ``None`` when there is no readable record."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return AgentPorts(**{name: int(data[name]) for name in NAMES})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_taken_ports(ports: AgentPorts) -> list[int]:
    """Those of the agents' ports that somebody holds now."""
    return [
        number for name in NAMES if not is_free(number := getattr(ports, name), udp=name in UDP_TOO)
    ]


def require_released(ports: AgentPorts) -> None:
    """Make sure that agents which are gone left none of their ports to anybody.

    Raises:
        PrismError: something holds one.
    """
    if taken := list(map(str, find_taken_ports(ports))):
        raise PrismError(
            f"the agents are gone, and something still holds their ports: {', '.join(taken)}",
            hint=f"`ss -ltnup | grep -E '{'|'.join(taken)}'` shows what",
        )


def _any_free_port() -> int:
    try:
        with socket.socket() as trial:
            trial.bind((LOOPBACK, 0))
            number: int = trial.getsockname()[1]
            return number
    except OSError as error:
        raise PrismError(f"no free port on {LOOPBACK}: {error.strerror}") from error
