"""What took how long in a start that came up, and how that compares with the starts before it; pure.

Compared is like with like: an agent with that agent, a service with the same service in the same runtime, with as many
replicas and with or without data, the whole with starts of the same selection on the same engine. "Usual" is the median
of the newest ten, so that one bad day spoils nothing.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.snapshot import render_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prismctl.domain.past_starts import PastStart

COMPARED: Final = 10
"""So many of the newest earlier starts count."""
SLOWER_FACTOR: Final = 1.4
"""What takes this much longer than usual is worth a look; single starts differ by less (see `domain.estimate`)."""
SLOWER_SECONDS: Final = 0.2
"""Less than this nobody notices, however often it was faster."""


class PartKind(StrEnum):
    """What a part of a start is."""

    LEAD = "lead"
    """All before the engine could start services: the command, the plan, the daemon and the engine's agents."""
    AGENT = "agent"
    """One of the engine's agents; its time is within the lead."""
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPart:
    """Something that took time in a start."""

    name: str
    """Empty for the lead."""
    kind: PartKind
    seconds: float | None
    """Its own time: from all it waits for being there until it was good. ``None``: nobody measured it."""
    usual_seconds: float | None = None
    """``None`` where there is nothing to compare with."""
    compared: int = 0
    """With how many earlier starts."""
    is_critical: bool = False
    """It is on the chain that the whole start waited for."""

    @property
    def is_slower(self) -> bool:
        """It took clearly longer than it usually does."""
        return _is_slower(self.seconds, self.usual_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReport:
    """One start, part by part."""

    stack: str
    engine: str
    origin: str
    started_at: float
    """Seconds since the epoch."""
    ready_seconds: float
    """From the command's own beginning until all was ready."""
    usual_seconds: float | None
    """Of the whole, for the same selection; ``None``: it is the first of its kind."""
    compared: int
    parts: tuple[StartPart, ...]
    """The lead, agents, then services in start order."""
    critical_path: tuple[str, ...]
    """The services that the whole start waited for, one after the other; empty where dependencies are not known any more."""

    @property
    def is_slower(self) -> bool:
        """The whole took clearly longer than it usually does."""
        return _is_slower(self.ready_seconds, self.usual_seconds)


def report_start(
    start: PastStart, past: Iterable[PastStart], awaited: Mapping[str, Sequence[str]] | None = None
) -> StartReport:
    """The report on a start.

    Args:
        start: the one it is about.
        past: starts of this machine in any order; those that are not earlier do not count.
        awaited: what each service waited for; ``None``: nobody knows any more, so there is no critical path.
    """
    earlier = sorted(
        (each for each in past if each.started_at < start.started_at),
        key=lambda each: each.started_at,
        reverse=True,
    )
    path = _find_critical_path(start, awaited) if awaited is not None else ()
    alike = [
        each.ready_seconds
        for each in earlier
        if (each.engine, each.is_cold, each.has_pulled, each.parts)
        == (start.engine, start.is_cold, start.has_pulled, start.parts)
    ]
    usual, compared = _usual(alike)
    return StartReport(
        stack=start.stack,
        engine=start.engine,
        origin=start.origin,
        started_at=start.started_at,
        ready_seconds=start.ready_seconds,
        usual_seconds=usual,
        compared=compared,
        parts=(
            _report_lead(start, earlier),
            *_report_agents(start, earlier),
            *_report_services(start, earlier, path),
        ),
        critical_path=path,
    )


def render_report(report: StartReport) -> dict[str, Any]:
    """The report as a document."""
    return {
        "stack": report.stack,
        "engine": report.engine,
        "origin": report.origin,
        "started_at": render_time(report.started_at),
        "ready_seconds": round(report.ready_seconds, 3),
        "usual_seconds": _rounded(report.usual_seconds),
        "compared": report.compared,
        "slower": report.is_slower,
        "critical_path": list(report.critical_path),
        "parts": [
            {
                "name": part.name,
                "type": part.kind.value,
                "seconds": _rounded(part.seconds),
                "usual_seconds": _rounded(part.usual_seconds),
                "compared": part.compared,
                "critical": part.is_critical,
                "slower": part.is_slower,
            }
            for part in report.parts
        ],
    }


def _report_lead(start: PastStart, earlier: Sequence[PastStart]) -> StartPart:
    usual, compared = _usual(
        [
            each.lead_seconds
            for each in earlier
            if (each.engine, each.is_cold) == (start.engine, start.is_cold)
        ]
    )
    return StartPart(
        name="",
        kind=PartKind.LEAD,
        seconds=start.lead_seconds,
        usual_seconds=usual,
        compared=compared,
        is_critical=True,
    )


def _report_agents(start: PastStart, earlier: Sequence[PastStart]) -> list[StartPart]:
    found = []
    for agent in start.agents:
        # One that was there already took nothing of this start's time.
        if not agent.is_cold:
            continue
        times = [
            each.seconds
            for other in earlier
            for each in other.agents
            if each.name == agent.name and each.is_cold and each.seconds is not None
        ]
        usual, compared = _usual(times)
        found.append(
            StartPart(
                name=agent.name,
                kind=PartKind.AGENT,
                seconds=agent.seconds,
                usual_seconds=usual,
                compared=compared,
            )
        )
    return found


def _report_services(
    start: PastStart, earlier: Sequence[PastStart], path: Sequence[str]
) -> list[StartPart]:
    found = []
    for service in start.services:
        times = [
            each.seconds
            for other in earlier
            # How long a service takes with an image to be fetched, no other start says.
            if other.engine == start.engine and other.has_pulled == start.has_pulled
            for each in other.services
            if each.part == service.part
        ]
        usual, compared = _usual(times)
        found.append(
            StartPart(
                name=service.name,
                kind=PartKind.SERVICE,
                seconds=service.seconds,
                usual_seconds=usual,
                compared=compared,
                is_critical=service.name in path,
            )
        )
    return found


def _find_critical_path(start: PastStart, awaited: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The chain that was good last; services come after what they wait for."""
    good_at: dict[str, float] = {}
    waited_for: dict[str, str | None] = {}
    for service in start.services:
        known = [name for name in awaited.get(service.name, ()) if name in good_at]
        last = max(known, key=good_at.__getitem__, default=None)
        waited_for[service.name] = last
        good_at[service.name] = (good_at[last] if last is not None else 0.0) + service.seconds
    name = max(good_at, key=good_at.__getitem__, default=None)
    path: list[str] = []
    while name is not None:
        path.insert(0, name)
        name = waited_for[name]
    return tuple(path)


def _usual(times: Sequence[float]) -> tuple[float | None, int]:
    newest = times[:COMPARED]
    return (statistics.median(newest) if newest else None), len(newest)


def _is_slower(seconds: float | None, usual: float | None) -> bool:
    if seconds is None or usual is None:
        return False
    return seconds > usual * SLOWER_FACTOR and seconds - usual > SLOWER_SECONDS


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
