"""Names that the catalog allows, for those that another tool allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prismctl.domain.service import AGENT_NAMES, SHORT_NAMES, ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 63
_TAKEN: Final = frozenset({*AGENT_NAMES, *SHORT_NAMES})
"""What the engine's agents are called, and words that mean services which ship."""


def choose_names(foreign: Iterable[str]) -> dict[str, ServiceName]:
    """A name for each: its own where the catalog allows it, else the nearest that nobody has.

    >>> choose_names(["web", "My_App", "nomad"])
    {'web': 'web', 'My_App': 'my-app', 'nomad': 'my-nomad'}
    """
    names = list(foreign)
    # Those that can stay as they are go first, so that no other one takes their place.
    kept = {name for name in names if _fit(name) == name}
    chosen: dict[str, ServiceName] = {}
    used = set(kept)
    for name in names:
        fitting = name if name in kept else _find_unused(_fit(name), used)
        used.add(fitting)
        chosen[name] = ServiceName(fitting)
    return chosen


def _fit(name: str) -> str:
    fitting = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") if not _is_allowed(name) else name
    fitting = fitting[:_LONGEST].rstrip("-") or "service"
    return f"my-{fitting}"[:_LONGEST] if fitting in _TAKEN else fitting


def _is_allowed(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) is not None and len(name) <= _LONGEST


def _find_unused(name: str, used: set[str]) -> str:
    if name not in used:
        return name
    for number in range(2, len(used) + 3):
        suffix = f"-{number}"
        candidate = name[: _LONGEST - len(suffix)] + suffix
        if candidate not in used:
            return candidate
    raise AssertionError("among more numbers than names, one is free")
