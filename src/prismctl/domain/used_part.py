"""What of a service's definition a runtime has a use for: a program on this machine has none for volumes."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.packaged import BINARY_CHECKS
from prismctl.domain.service import CheckType, HealthCheck, Runtime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.plan import Port
    from prismctl.domain.plan_options import PlanOptions
    from prismctl.domain.service import ServiceDefinition


def used_part(
    definition: ServiceDefinition, runtime: Runtime, ports: Sequence[Port]
) -> ServiceDefinition:
    """The definition without what this runtime has no use for; mistakes in that are none of this plan's."""
    is_native = runtime is Runtime.NATIVE
    return replace(
        definition,
        # What runs was chosen by what the command says, which is decided by then.
        command=(),
        container=definition.container if runtime is Runtime.CONTAINER else "",
        args=() if is_native else definition.args,
        init=definition.init if is_native else (),
        files=definition.files if is_native else {},
        # A program on this machine has the whole of it before it.
        volumes=() if is_native else definition.volumes,
        health_check=_settle_check(definition, runtime, ports),
    )


def _settle_check(
    definition: ServiceDefinition, runtime: Runtime, ports: Sequence[Port]
) -> HealthCheck | None:
    """The check with its port as a number; the default one for a service that has a TCP port and no check."""
    check = definition.health_check
    if runtime is Runtime.BINARY and definition.name in BINARY_CHECKS:
        check = BINARY_CHECKS[definition.name]
    elif check is None and any(port.is_tcp for port in ports):
        check = HealthCheck(type=CheckType.TCP)
    if check is None or check.type in {CheckType.EXEC, CheckType.LOG}:
        return check if check is None else replace(check, port=None)
    by_name = {port.name: port.number for port in ports if port.is_tcp}
    defined = [each for each in definition.ports if each.name in by_name]
    asked_for = {each.target: each.name for each in defined if each.target is not None}
    asked_for |= {each.number: each.name for each in defined if each.number is not None}
    first = next(iter(by_name.values()), ports[0].number)
    if check.port is None:
        number = first
    elif isinstance(check.port, str):
        number = by_name.get(check.port, first)
    else:
        # A number that is one of the service's own follows it to where it was moved.
        number = by_name.get(asked_for.get(check.port, ""), check.port)
    return replace(check, port=number)


def map_ports(definition: ServiceDefinition, ports: Sequence[Port]) -> tuple[Port, ...]:
    """The ports of a container with a network of its own: inside, its server keeps the numbers that it was built with."""
    built_with = {
        each.name: None if each.is_advertised else each.target or each.number
        for each in definition.ports
    }
    return tuple(
        replace(
            port,
            target=None if built_with[port.name] in {None, port.number} else built_with[port.name],
        )
        for port in ports
    )


def args_of_program(definition: ServiceDefinition) -> tuple[str, ...]:
    """What follows ``command`` on this machine: the ``args`` that somebody wrote.

    An image may want its program to be named first, and ``command`` has named it.
    """
    args = definition.args if definition.has_own_args else ()
    program = posixpath.basename(definition.command[0])
    return args[1:] if definition.container and args[:1] == (program,) else args


def choose_user(definition: ServiceDefinition, runtime: Runtime) -> str:
    """The account it runs under; empty: whose it is anyway."""
    if runtime is Runtime.NATIVE:
        return definition.user
    return definition.container_user if runtime is Runtime.CONTAINER else ""


def find_watched(
    definition: ServiceDefinition, runtime: Runtime, program: str, options: PlanOptions
) -> tuple[str, ...]:
    """What it is made from: as the catalog says, and what is built for it under its name."""
    built = (program,) if runtime is Runtime.BINARY else ()
    written = tuple(expand_home(each, options) for each in definition.watch)
    return tuple(dict.fromkeys((*written, *built)))


def expand_home(path: str, options: PlanOptions) -> str:
    """A path that may begin with ``~/``, which is the home of the one who starts the stack."""
    home = options.environment.get("HOME", "")
    return posixpath.join(home, path[2:]) if path.startswith("~/") and home else path
