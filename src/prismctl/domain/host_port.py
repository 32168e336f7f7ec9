"""A port of this machine: a number and the protocol that has it. 5353 of TCP and 5353 of UDP are two ports."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class PortProtocol(StrEnum):
    """What goes through a port."""

    TCP = "tcp"
    """Connections: whether somebody listens is found out by making one."""
    UDP = "udp"
    """Datagrams: nothing answers unless the server wants to."""


class HostPort(NamedTuple):
    """One port, whoever has it."""

    number: int
    protocol: PortProtocol = PortProtocol.TCP

    def __str__(self) -> str:
        """As people write it: ``8080``, ``5353/udp``."""
        return f"{self.number}{protocol_suffix(self.protocol)}"


def protocol_suffix(protocol: PortProtocol) -> str:
    """What follows a number to say which protocol is meant; nothing for TCP, which everybody means who says nothing.

    >>> protocol_suffix(PortProtocol.UDP)
    '/udp'
    """
    return "" if protocol is PortProtocol.TCP else f"/{protocol.value}"
