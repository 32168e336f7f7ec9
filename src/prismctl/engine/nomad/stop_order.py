"""In which order services end: whoever needs another one before it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.plan import ServicePlan
    from prismctl.domain.service import ServiceName

FAST_END_SECONDS: Final = 5.0
"""Up to this grace the last wave is left to Nomad, which ends all of its tasks when it is told to end."""


def resolve_stop_waves(services: Sequence[ServicePlan]) -> list[list[ServiceName]]:
    """Services that may end at the same time, wave by wave; ``services`` are in start order."""
    names = {service.name for service in services}
    depth: dict[ServiceName, int] = dict.fromkeys(names, 0)
    # Dependents come after what they need, so backwards every depth is final when it is used.
    for service in reversed(services):
        for needed in service.depends_on:
            if needed in names:
                depth[needed] = max(depth[needed], depth[service.name] + 1)
    waves: list[list[ServiceName]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for service in services:
        waves[depth[service.name]].append(service.name)
    return waves
