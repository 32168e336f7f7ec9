"""What a start will probably take on this machine: its history, asked about a plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from prismctl.domain.estimate import CONSIDERED, Estimate, estimate_start, expected_of
from prismctl.domain.events import EventKind
from prismctl.domain.plan import EngineName
from prismctl.errors import PrismError
from prismctl.files.history import HistoryError, load_starts
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.client import StackClient
    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import Home, StackPaths


def estimate_plan(
    home: Home,
    plan: StackPlan,
    *,
    with_data: Collection[str],
    before: float = math.inf,
    is_cold: bool | None = None,
) -> Estimate:
    """What starting a plan from nothing takes; a history that cannot be read is none.

    Args:
        home: whose history it is.
        plan: what shall be started.
        with_data: services that find, or found, the data of an earlier run; see `services_with_data`.
        before: starts that began then or later do not count, in seconds since the epoch.
        is_cold: whether the engine's agents are started for it; ``None``: as they are when nothing runs.
    """
    try:
        past = load_starts(home, most=CONSIDERED)
    except HistoryError:
        past = ()
    return estimate_start(
        expected_of(plan, with_data=with_data),
        [start for start in past if start.started_at < before],
        engine=plan.engine.value,
        is_cold=plan.engine is EngineName.NOMAD if is_cold is None else is_cold,
    )


def find_usual(
    home: Home, client: StackClient, plan: StackPlan, result: dict[str, Any], *, began_at: float
) -> Estimate | None:
    """What was to be expected of a start that came up, by those before it; ``None`` where nobody can say any more.

    Args:
        home: whose history it is.
        client: of the stack.
        plan: what was started.
        result: what came of it.
        began_at: when it began.
    """
    try:
        is_cold = any(
            event["kind"] == EventKind.COMPONENT_READY and event["time"] > began_at
            for event in client.events()
        )
    except PrismError:
        # Somebody stopped it meanwhile, and it did come up before.
        return None
    kept = (result.get("data") or {}).get("kept") or ()
    return estimate_plan(home, plan, with_data=kept, before=began_at, is_cold=is_cold)


def services_with_data(paths: StackPaths, plan: StackPlan) -> frozenset[str]:
    """The services of a plan that a start will not begin with empty hands."""
    data = ServiceData(paths.data)
    return frozenset(
        service.name
        for service in plan.services
        if data.has_data(service.name) and (service.persist or data.is_kept(service.name))
    )
