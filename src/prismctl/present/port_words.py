"""A port of a status document as people write it: alike in every table that has a column for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.domain.host_port import HostPort, PortProtocol

if TYPE_CHECKING:
    from collections.abc import Mapping


def main_port_of(service: Mapping[str, Any]) -> str:
    """The first port of a service: ``8080``, ``5353/udp``; empty without one."""
    ports = service.get("ports") or ()
    if not ports:
        return ""
    # A daemon that is older than this command says nothing of protocols.
    protocol = PortProtocol(ports[0].get("protocol", PortProtocol.TCP))
    return str(HostPort(ports[0]["port"], protocol))
