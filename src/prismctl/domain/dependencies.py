"""Who needs whom: closure, start order, circles. Names in, names out."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Name = TypeVar("Name", bound=str)


def close_over(
    chosen: Iterable[Name], depends_on: Mapping[Name, Sequence[Name]]
) -> dict[Name, Name | None]:
    """What is chosen and all it needs; each name with the one that first needed it, or ``None``.

    >>> close_over(["launcher"], {"launcher": ["admin"], "admin": []})
    {'launcher': None, 'admin': 'launcher'}
    """
    needed_by: dict[Name, Name | None] = dict.fromkeys(chosen)
    queue = list(needed_by)
    for name in queue:
        for target in depends_on.get(name, ()):
            if target not in needed_by:
                needed_by[target] = name
                queue.append(target)
    return needed_by


def sort_by_dependency(
    names: Sequence[Name], depends_on: Mapping[Name, Sequence[Name]]
) -> list[Name]:
    """The names in an order in which each comes after what it depends on; ties keep the given order.

    Dependencies that are not among the names are left out of account.

    >>> sort_by_dependency(["c", "a", "b"], {"c": ["b"], "a": [], "b": []})
    ['a', 'b', 'c']

    Raises:
        ValueError: some depend on each other in a circle; the text names them.
    """
    rank = {name: position for position, name in enumerate(names)}
    waits_for = {
        name: {target for target in depends_on.get(name, ()) if target in rank} for name in names
    }
    dependents: dict[Name, list[Name]] = {name: [] for name in names}
    for name, targets in waits_for.items():
        for target in targets:
            dependents[target].append(name)
    ready = [rank[name] for name in names if not waits_for[name]]
    heapify(ready)
    ordered: list[Name] = []
    while ready:
        name = names[heappop(ready)]
        ordered.append(name)
        for dependent in dependents[name]:
            waits_for[dependent].discard(name)
            if not waits_for[dependent]:
                heappush(ready, rank[dependent])
    if len(ordered) < len(rank):
        cycle = find_cycle({name: depends_on.get(name, ()) for name in names})
        raise ValueError(render_cycle(cycle))
    return ordered


def find_cycle(depends_on: Mapping[Name, Sequence[Name]]) -> list[Name]:
    """A shortest walk that ends where it began, starting from the first name that has one; else nothing."""
    settled: set[Name] = set()
    for start in depends_on:
        came_from: dict[Name, Name] = {}
        queue = [start]
        for name in queue:
            for target in depends_on.get(name, ()):
                if target == start:
                    walk = [start, name] if name != start else [start]
                    while walk[-1] != start:
                        walk.append(came_from[walk[-1]])
                    return list(reversed(walk)) if name != start else [start, start]
                if target not in came_from and target not in settled:
                    came_from[target] = name
                    queue.append(target)
        # Nothing reachable from here leads back to here; only walks that avoid it are left.
        settled.add(start)
    return []


def render_cycle(cycle: Sequence[str]) -> str:
    """A circle in words: ``a → b → a``."""
    return f"services depend on each other in a circle: {' → '.join(cycle)}"


def start_levels(
    names: Sequence[Name], depends_on: Mapping[Name, Sequence[Name]]
) -> list[list[Name]]:
    """The names in groups that can start at once, each group after those before it.

    Raises:
        ValueError: some depend on each other in a circle.
    """
    level: dict[Name, int] = {}
    for name in sort_by_dependency(names, depends_on):
        below = (level[target] for target in depends_on.get(name, ()) if target in level)
        level[name] = 1 + max(below, default=-1)
    groups: list[list[Name]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for name in names:
        groups[level[name]].append(name)
    return groups
