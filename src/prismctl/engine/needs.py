"""Waiting for what a service needs of another one; the same for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.needs import Condition

if TYPE_CHECKING:
    from prismctl.domain.needs import Need
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Readiness


async def wait_until_met(readiness: Readiness, service: ServiceName, need: Need) -> bool:
    """Return ``True`` once the need is met, or can be done without; ``False`` as soon as it can never be."""
    if need.condition is Condition.STARTED:
        is_met = await readiness.wait_until_started(service)
    else:
        is_met = await readiness.wait_until_good(service)
    return is_met or not need.is_required
