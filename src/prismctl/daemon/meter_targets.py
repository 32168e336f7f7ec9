"""Where the counters of an instance are read, given the plan and how it is checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.servers.nats import MONITOR
from prismctl.meters.meter import MeterKind, Target
from prismctl.meters.registry import PAGE_PORTS, choose_meter, count_requests_per_check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.plan import Port, ServicePlan
    from prismctl.probes.question import Question


def find_target(question: Question, service: ServicePlan, ports: Sequence[Port]) -> Target | None:
    """How the counters of one run are read; ``None``: there are none, or none that can be reached.

    Args:
        question: how the run is checked.
        service: its plan.
        ports: where this instance listens.
    """
    kind = choose_meter(service)
    if kind is None:
        return None
    number = _find_port(kind, question, ports or service.ports)
    if number is None:
        return None
    return Target(
        kind=kind,
        question=replace(question, port=number),
        requests_per_check=count_requests_per_check(question),
    )


def _find_port(kind: MeterKind, question: Question, ports: Sequence[Port]) -> int | None:
    by_name = {port.name: port.number for port in reversed(ports)}
    if kind is MeterKind.PRISM:
        return next((by_name[name] for name in PAGE_PORTS if name in by_name), None)
    if kind is MeterKind.NATS:
        return by_name.get(MONITOR)
    if question.type is not None and question.type.value == kind.value:
        return question.port
    return ports[0].number if ports else None
