"""What a stack that is not up yet waits for: the one thing at the head of the longest queue; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prismctl.domain.observation import ComponentState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.snapshot import ServiceSnapshot, StackSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What everything waits for."""

    on: str
    """The service, or the agent of the engine, that is waited for."""
    is_agent: bool
    reason: str
    """Why it is not there yet, in one line; may be empty."""
    chain: tuple[str, ...]
    """The longest chain of services that wait, each for the one before it; it begins with `on` where that is a service."""


def find_waiting(snapshot: StackSnapshot) -> Waiting | None:
    """What keeps a stack from being up; ``None`` where nothing is on its way.

    Agents come before services. Of services, it is the one with the longest chain behind it among those that wait for no
    other: a guess at the critical path that gets better as services come up, and is right once one chain is left.
    """
    pending = [each for each in snapshot.services if each.state.is_on_its_way]
    agent = next(
        (
            name
            for name, state in snapshot.components.items()
            if state in {ComponentState.STARTING, ComponentState.LOST}
        ),
        "",
    )
    if not pending:
        return None
    behind = _chains(pending)
    if agent:
        first = max(behind.values(), key=len, default=())
        return Waiting(on=agent, is_agent=True, reason="", chain=first)
    names = {each.name for each in pending}
    heads = [each for each in pending if not names.intersection(each.depends_on)] or pending
    head = max(heads, key=lambda each: len(behind[each.name]))
    return Waiting(on=head.name, is_agent=False, reason=head.reason, chain=behind[head.name])


def render_waiting(waiting: Waiting | None) -> dict[str, Any] | None:
    """The same as part of the status document."""
    if waiting is None:
        return None
    return {
        "on": waiting.on,
        "type": "agent" if waiting.is_agent else "service",
        "reason": waiting.reason,
        "chain": list(waiting.chain),
    }


def _chains(pending: Sequence[ServiceSnapshot]) -> Mapping[str, tuple[str, ...]]:
    """For each service the longest chain of those that wait for it, itself first; they come after what they wait for."""
    needed_by: dict[str, list[str]] = defaultdict(list)
    chains: dict[str, tuple[str, ...]] = {}
    for service in reversed(pending):
        after = [chains[name] for name in needed_by[service.name] if name in chains]
        chains[service.name] = (service.name, *max(after, key=len, default=()))
        for name in service.depends_on:
            needed_by[name].append(service.name)
    return chains
