"""Ports of this machine: which could be had, and which are kept for a start that is on its way."""

from __future__ import annotations

import errno
import hashlib
import socket
import sys
from typing import TYPE_CHECKING, Final

from prismctl.domain.host_port import HostPort, PortProtocol

if TYPE_CHECKING:
    from collections.abc import Collection

_KINDS: Final = {
    PortProtocol.TCP: socket.SOCK_STREAM,
    PortProtocol.UDP: socket.SOCK_DGRAM,
}


def is_port_free(number: int, protocol: PortProtocol = PortProtocol.TCP) -> bool:
    """Whether a service could listen on a port of this machine now.

    Found out by trying: on IPv4 with every address, because a listener on any of them is in the way of
    somebody, and on IPv6 where there is one. What only waits for late packets of an ended connection is not.
    """
    return all(
        _can_bind(family, address, number, protocol)
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - bound for an instant, never listened on
            (socket.AF_INET6, "::"),
        )
    )


def is_address_free(host: str, number: int, protocol: PortProtocol = PortProtocol.TCP) -> bool:
    """Whether somebody could listen at this very address now; who listens at another one of the machine is not in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _can_bind(family, host, number, protocol)


_reserved: dict[HostPort, tuple[socket.socket, ...]] = {}
"""Ports that this process has reserved, with what holds them; given back when it ends."""


def reserve_port(port: HostPort, owner: str) -> bool:
    """Whether a port that was chosen is ours until this process ends: two starts at once never choose the same.

    Held as names of unix sockets that exist in the kernel only (Linux); elsewhere everything can be had.

    Args:
        port: the one; that of the other protocol with its number is another.
        owner: who wants it; the same owner gets it in several processes, as when a start attaches to another.
    """
    if sys.platform != "linux" or port in _reserved:
        return True
    digest = hashlib.sha256(owner.encode()).hexdigest()[:16]
    own = _bind_name(f"{reservation_name(port)}-{digest}")
    if own is None:
        return True
    shared = _bind_name(reservation_name(port))
    if shared is None:
        own.close()
        return False
    _reserved[port] = (own, shared)
    return True


def reservation_name(port: HostPort) -> str:
    """Under which name a port is kept for whoever has chosen it, on all of this machine."""
    kind = "port" if port.protocol is PortProtocol.TCP else f"{port.protocol}-port"
    return f"prismctl-{kind}-{port.number}"


def release_ports(kept: Collection[HostPort] = ()) -> None:
    """Give back every port that this process has reserved, but for some."""
    for port in _reserved.keys() - set(kept):
        for holder in _reserved.pop(port):
            holder.close()


def _bind_name(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0{name}")
    except OSError:
        holder.close()
        return None
    return holder


def _can_bind(
    family: socket.AddressFamily, address: str, number: int, protocol: PortProtocol
) -> bool:
    try:
        with socket.socket(family, _KINDS[protocol]) as probe:
            if protocol is PortProtocol.TCP:
                # Does not get past a listener, but past connections that have ended. Of UDP, it would share the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, number))
    except OSError as error:
        # Anything else (no IPv6, no right to low ports) is not somebody else's listener.
        return error.errno != errno.EADDRINUSE
    return True
