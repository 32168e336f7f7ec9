"""What a shell or a program beside the stack needs to reach it: endpoints and credentials, by variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import ServicePlan


def render_environment_of_stack(stack: Stack) -> dict[str, str]:
    """The variables of the applied plan and of the engine; secrets are in it."""
    variables = {"PRISM_STACK": stack.paths.name}
    plan = stack.monitor.plan
    for service in plan.services if plan is not None else ():
        variables |= _render_service(service)
    if stack.engine is not None:
        variables |= stack.engine.environment()
    return variables


def _render_service(service: ServicePlan) -> dict[str, str]:
    """``REDIS_HOST``, ``REDIS_PORT``, ``REDIS_PORT_NAME`` for each port, and the secrets as ``REDIS_KEY``."""
    prefix = _variable_name(service.name)
    variables = {}
    if service.ports:
        first = service.ports[0]
        variables[f"{prefix}_HOST"] = first.host
        variables[f"{prefix}_PORT"] = str(first.number)
    for port in service.ports[1:]:
        variables[f"{prefix}_PORT_{_variable_name(port.name)}"] = str(port.number)
    for name in sorted(service.secrets & service.env.keys()):
        own = name if name.startswith(f"{prefix}_") else f"{prefix}_{name}"
        variables[own] = service.env[name]
    return variables


def _variable_name(name: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in name
    ).upper()
