"""What one plan in place of another does to what runs: what goes, is started anew, or gets fewer instances; pure.

Whoever types a start over a stack that runs may not know of all that is in it by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.plan import compare_plans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.plan import ServicePlan, StackPlan

_MOST_NAMES: Final = 3
"""Of variables, in one line."""


class DisturbanceKind(StrEnum):
    """What happens to a service."""

    REMOVE = "remove"
    RESTART = "restart"
    SCALE = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happens to one service, and why."""

    kind: DisturbanceKind
    service: str
    why: str = ""
    """What is different, in one line, with no value that could be a secret."""
    is_loss: bool = True
    """Something of it ends; else there will only be more of it."""


def find_disturbances(before: StackPlan | None, after: StackPlan) -> tuple[Disturbance, ...]:
    """Everything of what runs that is not left as it is, what goes first; nothing for a plan and itself."""
    if before is None:
        return ()
    changes = compare_plans(before, after)
    found = [
        Disturbance(kind=DisturbanceKind.REMOVE, service=name, why="not in this plan")
        for name in changes.removed
    ]
    is_moved = before.engine is not after.engine
    for name in after.names:
        if name not in before.names:
            continue
        old, new = before.service(name), after.service(name)
        if is_moved:
            why = (
                f"engine {before.engine.value} → {after.engine.value}; data that is not kept "
                "is put aside"
            )
            found.append(Disturbance(kind=DisturbanceKind.RESTART, service=name, why=why))
        elif name in changes.changed:
            why = _describe_difference(old, new)
            found.append(Disturbance(kind=DisturbanceKind.RESTART, service=name, why=why))
        if old.replicas != new.replicas and not is_moved:
            found.append(
                Disturbance(
                    kind=DisturbanceKind.SCALE,
                    service=name,
                    why=f"{old.replicas} → {new.replicas}",
                    is_loss=new.replicas < old.replicas,
                )
            )
    return tuple(found)


def is_felt(disturbances: Iterable[Disturbance], services: Iterable[Mapping[str, Any]]) -> bool:
    """Whether something ends that is well, by the services of a status document."""
    well = {each["name"] for each in services if (each.get("replicas") or {}).get("healthy")}
    return any(each.is_loss and each.service in well for each in disturbances)


def describe_disturbances(disturbances: Iterable[Disturbance]) -> str:
    """All of them in one line: ``removes redis, restarts web, scales memstore 2 → 1``."""
    parts = [
        f"{each.kind.value}s {each.service}"
        + (f" {each.why}" if each.kind is DisturbanceKind.SCALE else "")
        for each in disturbances
    ]
    return ", ".join(parts)


def render_disturbances(disturbances: Iterable[Disturbance]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"kind": each.kind.value, "service": each.service, "why": each.why} for each in disturbances
    ]


def _describe_difference(old: ServicePlan, new: ServicePlan) -> str:
    words = _moved_ports(old, new)
    if old.runtime is not new.runtime:
        words.append(f"{old.runtime.value} → {new.runtime.value}")
    elif old.program != new.program:
        words.append(f"{old.program} → {new.program}")
    if old.persist != new.persist:
        words.append("keeps its data" if new.persist else "does not keep its data any more")
    names = sorted(name for name in {*old.env, *new.env} if old.env.get(name) != new.env.get(name))
    if names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        words.append(f"another {', '.join(names[:_MOST_NAMES])}{more}")
    if (old.command, old.args) != (new.command, new.args) and not words:
        words.append("another command")
    if old.resources != new.resources:
        words.append("other limits")
    return ", ".join(words) or "its settings are different"


def _moved_ports(old: ServicePlan, new: ServicePlan) -> list[str]:
    before = {port.name: port.host_port for port in old.ports}
    after = {port.name: port.host_port for port in new.ports}
    words = []
    for name in {**before, **after}:
        if before.get(name) == after.get(name):
            continue
        which = "port" if len({**before, **after}) == 1 else f"port {name}"
        words.append(f"{which} {before.get(name, 'none')} → {after.get(name, 'none')}")
    return words
