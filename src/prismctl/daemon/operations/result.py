"""What came of an operation, as the API says it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.snapshot import ServiceState, render_status

if TYPE_CHECKING:
    from prismctl.domain.snapshot import StackSnapshot

_SKIPPED: Final = " can never be ready: "
"""In the reason of a service that was not tried because of another."""


def render_result(snapshot: StackSnapshot) -> dict[str, Any]:
    """``ready``, ``partial`` or ``failed``, with the names behind it."""
    lost = [service for service in snapshot.services if service.state is ServiceState.FAILED]
    skipped = [service.name for service in lost if _SKIPPED in service.reason]
    failed = [service.name for service in lost if service.name not in skipped]
    has_good = any(service.state.is_good for service in snapshot.services)
    outcome = "ready" if not lost else ("partial" if has_good else "failed")
    return {
        "outcome": outcome,
        "failed": failed,
        "skipped": skipped,
        "status": render_status(snapshot, time.time()),
    }


def render_stopped(snapshot: StackSnapshot) -> dict[str, Any]:
    """Everything was taken down."""
    status = render_status(snapshot, time.time())
    return {"outcome": "stopped", "failed": [], "skipped": [], "status": status}
