"""What a daemon has to remember across its own death, beside the plan."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from prismctl.domain.comeback import Comeback
from prismctl.domain.plan import StackPlan, plan_from_json
from prismctl.domain.service import ServiceName
from prismctl.domain.setback import Setback
from prismctl.domain.stack_history import StackHistory
from prismctl.files.atomic import write_atomically
from prismctl.runtime.container_sweep import forget_containers

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedState:
    """The parts of the history that a new daemon cannot see for itself."""

    history: StackHistory = field(default_factory=StackHistory)
    log_file: str = ""
    """Where all output is appended; empty: nowhere."""
    is_stopping: bool = False
    """The stack was being taken down."""


def save_plan(paths: StackPaths, document: dict[str, Any]) -> None:
    """Write a plan in its JSON form down, secrets included (0600).

    Raises:
        PrismError: it cannot be written.
    """
    write_atomically(paths.plan, json.dumps(document))


def load_plan(paths: StackPaths) -> StackPlan | None:
    """The plan that was applied; ``None`` when there is none, or none that can be read."""
    try:
        return plan_from_json(json.loads(paths.plan.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_state(paths: StackPaths, state: RememberedState) -> None:
    """Write down what is to be remembered.

    Raises:
        PrismError: it cannot be written.
    """
    history = state.history
    document: dict[str, Any] = {
        "started_at": history.started_at,
        "applied_at": history.applied_at,
        "apply_seconds": history.apply_seconds,
        "ready_seconds": history.ready_seconds,
        "has_settled": history.has_settled,
        "healthy_after_seconds": dict(history.healthy_after_seconds),
        "last_errors": dict(history.last_errors),
        "setbacks": {name: [each.at, each.instance] for name, each in history.setbacks.items()},
        "comebacks": {name: asdict(each) for name, each in history.comebacks.items()},
        "log_file": state.log_file,
        "is_stopping": state.is_stopping,
    }
    write_atomically(paths.state, json.dumps(document))


def load_state(paths: StackPaths) -> RememberedState:
    """What was remembered; nothing, when that cannot be read."""
    try:
        document = json.loads(paths.state.read_text(encoding="utf-8"))
        history = StackHistory(
            started_at=document["started_at"],
            applied_at=document["applied_at"],
            apply_seconds=document["apply_seconds"],
            ready_seconds=document["ready_seconds"],
            has_settled=document["has_settled"],
            healthy_after_seconds=_by_service(document["healthy_after_seconds"]),
            last_errors=_by_service(document["last_errors"]),
            # What a daemon wrote that did not know of these is as good.
            setbacks={
                ServiceName(name): Setback(at=at, instance=instance)
                for name, (at, instance) in document.get("setbacks", {}).items()
            },
            comebacks={
                name: Comeback(**each) for name, each in document.get("comebacks", {}).items()
            },
        )
        return RememberedState(
            history=history,
            log_file=document["log_file"],
            is_stopping=document["is_stopping"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RememberedState()


def remove_files(paths: StackPaths) -> None:
    """Forget the plan and everything about it; its containers are gone by now."""
    paths.plan.unlink(missing_ok=True)
    paths.state.unlink(missing_ok=True)
    paths.log_copy.unlink(missing_ok=True)
    paths.dashboard_token.unlink(missing_ok=True)
    paths.dashboard_place.unlink(missing_ok=True)
    forget_containers(paths)


def _by_service(data: dict[str, Any]) -> dict[ServiceName, Any]:
    return {ServiceName(name): value for name, value in data.items()}
