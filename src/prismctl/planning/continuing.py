"""Changes a stack that runs: what nobody asked to change does not notice that it was planned again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.selection import Layer, find_needing

if TYPE_CHECKING:
    from prismctl.domain.host_port import HostPort
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.planning.request import PlanRequest


def layer_of_running(running: StackPlan, catalog: Catalog) -> Layer:
    """What was chosen for the running stack; what only came along leaves with what needed it."""
    chosen: list[ServiceName] = [
        service.name
        for service in running.services
        if not find_needing(service.source) and service.name in catalog.services
    ]
    return Layer(running.origin, chosen)


def ports_of_running(running: StackPlan | None) -> dict[tuple[str, str], HostPort]:
    """What its services have, by service and port name."""
    return {
        (service.name, port.name): port.host_port
        for service in (running.services if running else ())
        for port in service.ports
    }


def continue_plan(plan: StackPlan, request: PlanRequest) -> StackPlan:
    """The running plan with what was asked to change; the new one as it is, where nothing runs."""
    running = request.running
    if running is None:
        return plan
    is_anew = bool(
        request.names_selection
        or request.services_file is not None
        or request.engine
        or request.runtime
    )
    before = {service.name: service for service in running.services}
    services = []
    for service in plan.services:
        known = before.get(service.name)
        if known is None or is_anew:
            services.append(service)
        elif request.refreshes:
            services.append(replace(service, source=known.source))
        else:
            services.append(replace(known, replicas=service.replicas))
    if is_anew:
        return replace(plan, services=tuple(services))
    return replace(
        plan,
        services=tuple(services),
        base_env=running.base_env,
        engine_reason=running.engine_reason,
        project=running.project,
        profile=running.profile,
    )
