"""What was in the way of a service that ended: said in its place, because its exit code does not tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.observation import Phase
from prismctl.runtime.refusal import EXIT_REFUSED, has_guard, read_refusal

if TYPE_CHECKING:
    from prismctl.domain.observation import InstanceObservation
    from prismctl.domain.plan import ServicePlan
    from prismctl.files.paths import StackPaths

_DOWN: Final = frozenset({Phase.BACKOFF, Phase.FAILED})


def find_obstacle(
    seen: InstanceObservation, service: ServicePlan, paths: StackPaths
) -> InstanceObservation:
    """The observation with what was in the way, where it is down because of something that can be named."""
    if seen.phase not in _DOWN or seen.obstacle:
        return seen
    if seen.exit_code == EXIT_REFUSED and has_guard(service):
        return replace(seen, obstacle=read_refusal(paths.data_of(*seen.key)))
    return seen
