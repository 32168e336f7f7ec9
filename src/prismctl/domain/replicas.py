"""Further instances of a service: the same, with ports and a data directory of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.addressing import find_free_port, preferred_port
from prismctl.domain.host_port import HostPort
from prismctl.domain.interpolation import fill_own
from prismctl.domain.plan import Port
from prismctl.domain.service import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.plan import ServicePlan


def plan_replica(service: ServicePlan, *, ports: tuple[Port, ...], data: str) -> ServicePlan:
    """The plan of one further instance.

    Args:
        service: the plan of the first instance.
        ports: where this one listens, in the order of the service's own.
        data: the data directory of this one.
    """
    check = service.check
    # A check asks at a port that is TCP; one of UDP may have the same number.
    numbers = {
        first.number: own.number
        for first, own in zip(service.ports, ports, strict=True)
        if first.is_tcp
    }
    if check is not None and isinstance(check.port, int):
        check = replace(check, port=numbers.get(check.port, check.port))
    template = service.template
    if template is None:
        return replace(service, ports=ports, check=check)
    by_name = {port.name: port.inner_number for port in ports}

    def fill(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(fill_own(word, ports=by_name, data=data) for word in words)

    if check is not None:
        check = replace(check, command=fill(template.check_command))
    return replace(
        service,
        ports=ports,
        check=check,
        command=fill(template.command),
        args=fill(template.args),
        # A plan of an earlier version says nothing about them.
        volumes=fill(template.volumes) or service.volumes,
        init=fill(template.init),
        env={
            name: fill_own(value, ports=by_name, data=data) for name, value in template.env.items()
        },
        files={
            fill_own(path, ports=by_name, data=data): fill_own(text, ports=by_name, data=data)
            for path, text in template.files.items()
        },
    )


def find_replica_ports(
    service: ServicePlan, replica: int, *, stack: str, is_free: Callable[[HostPort], bool]
) -> tuple[Port, ...]:
    """Free ports for a further instance; the same ones again as long as they are free.

    Raises:
        LookupError: none is free.
    """
    used: set[HostPort] = set()
    ports = []
    for port in service.ports:
        first = preferred_port(stack, f"{service.name}#{replica}", port.name)
        found = find_free_port(HostPort(first, port.protocol), used, is_free)
        used.add(found)
        is_mapped = service.runtime is Runtime.CONTAINER and not service.has_host_network
        target = port.inner_number if is_mapped else None
        ports.append(
            Port(
                name=port.name,
                number=found.number,
                host=port.host,
                is_dynamic=True,
                target=target,
                protocol=found.protocol,
            )
        )
    return tuple(ports)
