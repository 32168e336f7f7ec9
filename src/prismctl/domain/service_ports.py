"""The ports of a service: what an entry says, put over what is known, and checked for sense."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.compose_words import IMAGE_KEYS
from prismctl.domain.host_port import PortProtocol, protocol_suffix
from prismctl.domain.service import PortDefinition
from prismctl.domain.written_ports import AUTO, render_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.document import Path, Report
    from prismctl.domain.service import ServiceDefinition
    from prismctl.domain.written_ports import WrittenPort

MAIN_PORT: Final = "main"
"""The name of a port that was given without one."""


def read_ports(
    base: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> tuple[PortDefinition, ...]:
    """The ports that an entry gives, under the names that they are known by; those of ``base`` where it gives none."""
    if "port" in given and "ports" in given:
        report.key((*path, "port"), "both `port` and `ports` are given; `ports` alone says it all")
    if "ports" in given:
        ports = given["ports"]
        if isinstance(ports, dict):
            return tuple(_define_port(base, name, written) for name, written in ports.items())
        names = [port.name for port in base.ports]
        names += [
            f"port{position}" if position > 1 else MAIN_PORT
            for position in range(len(names) + 1, len(ports) + 1)
        ]
        return tuple(
            _define_port(base, name, written) for name, written in zip(names, ports, strict=False)
        ) + tuple(base.ports[len(ports) :])
    if "port" in given:
        name = base.ports[0].name if base.ports else MAIN_PORT
        rest = base.ports[1:]
        first = _define_port(base, name, given["port"])
        if any(port.wanted == first.wanted is not None for port in rest):
            report.value((*path, "port"), f"port {first.wanted} is there twice")
        return (first, *rest)
    return base.ports


def _define_port(base: ServiceDefinition, name: str, written: WrittenPort) -> PortDefinition:
    number, target, protocol = written
    for port in base.ports:
        if port.name == name:
            changed = dataclasses.replace(
                port, number=number, target=target, protocol=protocol or port.protocol
            )
            is_explicit = number is not None and (port.is_explicit or port.wanted != changed.wanted)
            return dataclasses.replace(changed, is_explicit=is_explicit)
    return PortDefinition(
        name=name,
        number=number,
        is_explicit=number is not None,
        target=target,
        protocol=protocol or PortProtocol.TCP,
    )


def check_mappings(
    definition: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> None:
    """A number inside has a meaning for a container alone, and for a server that does not tell its own to clients."""
    for index, port in enumerate(definition.ports):
        if port.target is None:
            continue
        where = (*path, "port")
        if "ports" in given:
            where = (*path, "ports", port.name if isinstance(given["ports"], dict) else index)
        outside = AUTO if port.number is None else port.number
        shown = f"{outside}:{port.target}{protocol_suffix(port.protocol)}"
        if not definition.container:
            if report.has_refused(IMAGE_KEYS, given, path):
                continue
            report.value(
                where,
                f"port `{shown}` names a port inside a container, and there is no `container`; "
                f"`{render_port(port)}` alone is a port",
            )
        elif port.is_advertised and port.number != port.target:
            report.value(
                where,
                f"port `{shown}`: the server tells its clients the number of port {port.name}, "
                "so it is the same inside",
            )
