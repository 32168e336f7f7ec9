"""The page of a whole stack for Prometheus: one sample a service and figure; what is not known is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.exposition import render_family
from prismctl.domain.snapshot import ServiceState, StackState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.domain.snapshot import ServiceSnapshot, StackSnapshot

_GAUGE: Final = "gauge"
_COUNTER: Final = "counter"

Figure = tuple[str, str, str, "Callable[[ServiceSnapshot], float | None]"]

FIGURES: Final[tuple[Figure, ...]] = (
    (
        "prism_service_replicas_wanted",
        _GAUGE,
        "Replicas that shall run.",
        lambda service: service.replicas_wanted,
    ),
    (
        "prism_service_replicas_healthy",
        _GAUGE,
        "Replicas that are healthy or completed.",
        lambda service: service.replicas_healthy,
    ),
    (
        "prism_service_restarts_total",
        _COUNTER,
        "Restarts of all replicas.",
        lambda service: service.restarts,
    ),
    (
        "prism_service_start_time_seconds",
        _GAUGE,
        "When the present run of the first replica began, since the epoch.",
        lambda service: service.instances[0].started_at if service.instances else None,
    ),
    (
        "prism_service_memory_bytes",
        _GAUGE,
        "Memory of all replicas, children included.",
        lambda service: service.memory_bytes,
    ),
    (
        "prism_service_cpu_ratio",
        _GAUGE,
        "Share of one core, all replicas, children included.",
        lambda service: None if service.cpu_percent is None else service.cpu_percent / 100,
    ),
    (
        "prism_service_requests_total",
        _COUNTER,
        "Requests since the processes began.",
        lambda service: service.traffic.requests_total,
    ),
    (
        "prism_service_errors_total",
        _COUNTER,
        "Of those, the ones that failed.",
        lambda service: service.traffic.errors_total,
    ),
    (
        "prism_service_requests_per_second",
        _GAUGE,
        "Requests a second, lately.",
        lambda service: service.traffic.requests_per_second,
    ),
    (
        "prism_service_errors_per_second",
        _GAUGE,
        "Failed requests a second, lately.",
        lambda service: service.traffic.errors_per_second,
    ),
    (
        "prism_service_latency_p95_seconds",
        _GAUGE,
        "What 95 % of the requests took at most, lately.",
        lambda service: service.traffic.latency_p95_seconds,
    ),
)
"""Name, type, description and value of what is told of each service."""


def render_stack_metrics(snapshot: StackSnapshot, now: float) -> str:
    """The page; ``now`` in seconds since the epoch."""
    return "".join(_render(snapshot, now))


def _render(snapshot: StackSnapshot, now: float) -> Iterator[str]:
    stack = {"stack": str(snapshot.stack)}
    yield from render_family(
        "prism_stack_state",
        _GAUGE,
        "1 for the state the stack is in, 0 for the others.",
        [({**stack, "state": state.value}, float(state is snapshot.state)) for state in StackState],
    )
    since = snapshot.started_at
    yield from render_family(
        "prism_stack_uptime_seconds",
        _GAUGE,
        "Since the command that started it began.",
        [(stack, None if since is None else max(0.0, now - since))],
    )
    yield from render_family(
        "prism_stack_memory_bytes",
        _GAUGE,
        "Memory of all services.",
        [(stack, snapshot.memory_bytes)],
    )
    yield from render_family(
        "prism_service_state",
        _GAUGE,
        "1 for the state the service is in, 0 for the others.",
        [
            (
                {**stack, "service": str(service.name), "state": state.value},
                float(state is service.state),
            )
            for service in snapshot.services
            for state in ServiceState
        ],
    )
    for name, kind, description, read in FIGURES:
        yield from render_family(
            name,
            kind,
            description,
            [({**stack, "service": str(each.name)}, read(each)) for each in snapshot.services],
        )
