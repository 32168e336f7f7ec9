"""Ports of this machine: which could be had, and which are kept for a start that is on its way."""

from __future__ import annotations

import errno
import hashlib
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def is_port_free(number: int) -> bool:
    """Whether a service could listen on a port of this machine now.

    Found out by trying: on IPv4 with every address, because a listener on any of them is in the way of
    somebody, and on IPv6 where there is one. What only waits for late packets of an ended connection is not.
    """
    return all(
        _can_bind(family, address, number)
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - bound for an instant, never listened on
            (socket.AF_INET6, "::"),
        )
    )


def is_address_free(host: str, number: int) -> bool:
    """Whether somebody could listen at this very address now; who listens at another one of the machine is not in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _can_bind(family, host, number)


_reserved: dict[int, tuple[socket.socket, ...]] = {}
"""Ports that this process has reserved, with what holds them; given back when it ends."""


def reserve_port(number: int, owner: str) -> bool:
    """Whether a port that was chosen is ours until this process ends: two starts at once never choose the same.

    Held as names of unix sockets that exist in the kernel only (Linux); elsewhere everything can be had.

    Args:
        number: of the port.
        owner: who wants it; the same owner gets it in several processes, as when a start attaches to another.
    """
    if sys.platform != "linux" or number in _reserved:
        return True
    digest = hashlib.sha256(owner.encode()).hexdigest()[:16]
    own = _bind_name(f"prismctl-port-{number}-{digest}")
    if own is None:
        return True
    shared = _bind_name(f"prismctl-port-{number}")
    if shared is None:
        own.close()
        return False
    _reserved[number] = (own, shared)
    return True


def release_ports(kept: Collection[int] = ()) -> None:
    """Give back every port that this process has reserved, but for some."""
    for number in _reserved.keys() - set(kept):
        for holder in _reserved.pop(number):
            holder.close()


def _bind_name(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0{name}")
    except OSError:
        holder.close()
        return None
    return holder


def _can_bind(family: socket.AddressFamily, address: str, number: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Does not get past a listener, but past connections that have ended.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, number))
    except OSError as error:
        # Anything else (no IPv6, no right to low ports) is not somebody else's listener.
        return error.errno != errno.EADDRINUSE
    return True
