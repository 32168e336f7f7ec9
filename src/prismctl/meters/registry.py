"""Which meter is a service's, by the plan: its driver, its check, or that it is a Prism program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.rates import Unit
from prismctl.domain.service import CheckType, Runtime
from prismctl.meters.meter import MeterKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.plan import ServicePlan
    from prismctl.meters.meter import Meter, Target
    from prismctl.probes.question import Question

UNITS: Final = {
    MeterKind.PRISM: Unit.REQUESTS,
    MeterKind.REDIS: Unit.OPERATIONS,
    MeterKind.POSTGRES: Unit.TRANSACTIONS,
    MeterKind.NATS: Unit.MESSAGES,
    MeterKind.KAFKA: Unit.MESSAGES,
}
"""What a request is for each."""

PAGE_PORTS: Final = ("metrics", "health")
"""Names of the ports at which Prism programs have their page, the better one first."""

_SERVERS: Final = {
    kind.value: kind
    for kind in (MeterKind.REDIS, MeterKind.POSTGRES, MeterKind.NATS, MeterKind.KAFKA)
}
"""By driver, and by the type of the check that speaks its protocol."""
_POSTGRES_PER_CHECK: Final = 2
"""A session and a query."""


def choose_meter(service: ServicePlan) -> MeterKind | None:
    """Whose counters say what goes through a service; ``None``: nobody's, or it runs elsewhere and is not ours to ask."""
    if service.runtime is Runtime.EXTERNAL or service.one_shot:
        return None
    if service.runtime in {Runtime.BUILTIN, Runtime.BINARY}:
        return MeterKind.PRISM
    by_driver = _SERVERS.get(service.driver)
    if by_driver is not None or service.check is None:
        return by_driver
    return _SERVERS.get(service.check.type.value)


def count_requests_per_check(question: Question) -> int:
    """How many requests a server counts for one answer to a check; those of the others are told apart by their names."""
    if question.type is CheckType.POSTGRES:
        return _POSTGRES_PER_CHECK
    return int(question.type is CheckType.NATS and question.jetstream)


def make_meter(target: Target) -> Meter:
    """The meter of a target; only what is used is imported."""
    return _load_meter(target.kind)(target.question)


def _load_meter(kind: MeterKind) -> Callable[[Question], Meter]:
    if kind is MeterKind.PRISM:
        from prismctl.meters.prism import PrismMeter

        return PrismMeter
    if kind is MeterKind.REDIS:
        from prismctl.meters.redis import RedisMeter

        return RedisMeter
    if kind is MeterKind.POSTGRES:
        from prismctl.meters.postgres import PostgresMeter

        return PostgresMeter
    if kind is MeterKind.NATS:
        from prismctl.meters.nats import NatsMeter

        return NatsMeter
    from prismctl.meters.kafka import KafkaMeter

    return KafkaMeter
