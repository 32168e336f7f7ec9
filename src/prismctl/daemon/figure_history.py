"""The figures of the last ten minutes of each service, in memory; they end with the daemon."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.domain.service import ServiceName
    from prismctl.domain.snapshot import ServiceSnapshot, StackSnapshot

HISTORY_SECONDS: Final = 600
STEP_SECONDS: Final = 1.0
"""Of figures that come faster, the last of each second is kept."""
CAPACITY: Final = 600
"""Points of one service: 19 kB."""
MAX_SERVICES: Final = 1000
"""Of more than that, those with the oldest points are forgotten."""

FIGURES: Final[dict[str, tuple[Literal["f", "d"], int]]] = {
    "requests_per_second": ("f", 2),
    "errors_per_second": ("f", 2),
    "latency_p95_seconds": ("f", 7),
    "memory_bytes": ("d", 0),
    "cpu_percent": ("f", 1),
}
"""How each is kept, and to how many digits it is told."""
_UNKNOWN: Final = math.nan


class _Ring:
    """The newest points of one service."""

    def __init__(self) -> None:
        self._at = array("d", [0.0]) * CAPACITY
        self._columns: list[array[float]] = [
            array(kind, [_UNKNOWN]) * CAPACITY for kind, _ in FIGURES.values()
        ]
        self._next = 0
        self._length = 0

    @property
    def newest(self) -> float:
        """When the newest point was taken; 0 without one."""
        return self._at[self._next - 1] if self._length else 0.0

    def add(self, at: float, values: list[float | None]) -> None:
        """Add a point, in the place of the one before where that is too close."""
        if self._length and int(self.newest / STEP_SECONDS) == int(at / STEP_SECONDS):
            self._next -= 1
            self._length -= 1
        place = self._next % CAPACITY
        self._at[place] = at
        for column, value in zip(self._columns, values, strict=True):
            column[place] = _UNKNOWN if value is None else value
        self._next = place + 1
        self._length = min(CAPACITY, self._length + 1)

    def render(self, since: float) -> dict[str, list[float | None]]:
        """The points that are no older, oldest first, a list for each figure."""
        first = self._next - self._length
        places = [place for place in range(first, self._next) if self._at[place] >= since]
        found: dict[str, list[float | None]] = {"at": [round(self._at[each], 3) for each in places]}
        for (name, (_, digits)), column in zip(FIGURES.items(), self._columns, strict=True):
            found[name] = [_render(column[place], digits) for place in places]
        return found


class FigureHistory:
    """A ring for each service."""

    def __init__(self) -> None:
        self._rings: dict[ServiceName, _Ring] = {}

    def record(self, at: float, snapshot: StackSnapshot) -> None:
        """Keep what is known now; ``at`` in seconds since the epoch."""
        for service in snapshot.services:
            self._rings.setdefault(service.name, _Ring()).add(at, _figures_of(service))
        by_age = sorted(self._rings, key=lambda name: self._rings[name].newest)
        for place, name in enumerate(by_age):
            is_one_too_many = place < len(by_age) - MAX_SERVICES
            if is_one_too_many or self._rings[name].newest < at - HISTORY_SECONDS:
                del self._rings[name]

    @property
    def services(self) -> int:
        """Of how many something is known."""
        return len(self._rings)

    def render(
        self, now: float, *, seconds: float = HISTORY_SECONDS, names: Collection[str] = ()
    ) -> dict[str, Any]:
        """The points of the last ``seconds`` of these services, or of all where none is named."""
        since = now - min(seconds, HISTORY_SECONDS)
        return {
            name: ring.render(since)
            for name, ring in self._rings.items()
            if (not names or name in names) and ring.newest >= since
        }


def _figures_of(service: ServiceSnapshot) -> list[float | None]:
    traffic = service.traffic
    return [
        traffic.requests_per_second,
        traffic.errors_per_second,
        traffic.latency_p95_seconds,
        service.memory_bytes,
        service.cpu_percent,
    ]


def _render(value: float, digits: int) -> float | None:
    if math.isnan(value):
        return None
    return round(value, digits) if digits else int(value)
