"""What came of an operation, as the API says it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prismctl.domain.snapshot import render_status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import StackSnapshot


def render_result(
    snapshot: StackSnapshot,
    was_tried: Callable[[ServiceName], bool],
    only: Collection[ServiceName] = (),
) -> dict[str, Any]:
    """``ready``, ``partial`` or ``failed``, with the names behind it; who was never tried was skipped.

    Args:
        snapshot: in which nothing is waited for any more.
        was_tried: whether a service was ever begun.
        only: the services it is about; all of them when none is named.
    """
    lost = [
        service
        for service in snapshot.services
        if service.has_failed and (not only or service.name in only)
    ]
    names = {service.name for service in lost}
    skipped = [
        service.name
        for service in lost
        if not names.isdisjoint(service.depends_on) and not was_tried(service.name)
    ]
    failed = [service.name for service in lost if service.name not in skipped]
    has_good = any(service.is_good or service.replicas_healthy for service in snapshot.services)
    outcome = "ready" if not lost else ("partial" if has_good else "failed")
    return {
        "outcome": outcome,
        "failed": failed,
        "skipped": skipped,
        "status": render_status(snapshot, time.time()),
    }


def find_failed(snapshot: StackSnapshot) -> list[ServiceName]:
    """The services that will not come up, or not whole."""
    return [each.name for each in snapshot.services if each.has_failed]


def render_stopped(snapshot: StackSnapshot) -> dict[str, Any]:
    """Everything was taken down."""
    status = render_status(snapshot, time.time())
    return {"outcome": "stopped", "failed": [], "skipped": [], "status": status}
