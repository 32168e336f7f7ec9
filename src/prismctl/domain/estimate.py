"""How long a start will take and how much memory it will have, before it happens: from what this machine has seen.

**The parts.** A start takes as long as its lead (command, daemon, the engine's agents) and its slowest chain of services
(the critical path). Each part is the median of its newest times on this machine, so that one bad day spoils nothing.

**What was never started here** has the request's figures: 5 s for `minimal`, 8 s with redis, 10 s with postgres, 12 s with
nats and kafka, 18 s for all. They add up as no chain does, because what starts at the same time shares the machine; so
60 % of such a figure counts whatever happens beside it, the rest along the chain. What this machine did see says by how
much it is faster than the request, and the figures are scaled by that.

**The whole.** Once a selection was started five times, the median of its own whole times is better than any sum. That
adding a service never shortens an estimate holds even so: an estimate is never less than that of a measured part of the
selection and never more than that of a measured whole it is a part of; where measurements contradict each other, the
middle of both bounds is taken (Mukerjee, *Monotone nonparametric regression*, Annals of Statistics 16, 1988).

**The range** is the prediction interval for the next start, of the logarithms of the past ones, because times are
skewed to the long side (Hahn and Meeker, *Statistical Intervals*, 1991, section 4): the median times and divided by
``exp(t · s · √(1 + π/2n))``, with `t` of 95 %, so that nine of ten starts fall into it with some room; π/2n is how
uncertain the median itself is. It is never narrower than ±25 %, by which one machine swings within minutes, and never wider
than ±40 %, which is also the range of what was started less than five times.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.past_starts import Part, awaited_of
from prismctl.domain.service import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from prismctl.domain.past_starts import PastService, PastStart
    from prismctl.domain.plan import StackPlan

ENOUGH_STARTS: Final = 5
"""So many starts of a selection say how long it takes."""
NEWEST: Final = 12
"""So many of the newest times count: how busy a machine is, or was made, changes within days."""
CONSIDERED: Final = 200
"""So many of the newest starts are looked at at all."""
LEAST_SPREAD: Final = 0.25
MOST_SPREAD: Final = 0.40

_T_QUANTILES: Final = (
    2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
)  # fmt: skip
"""Of Student's distribution at 97.5 %, for five to twelve values."""
_COLD_LEAD_SECONDS: Final = 3.0
"""The request's 5 s for `minimal`, less two services one after the other."""
_WARM_LEAD_SECONDS: Final = 0.5
_PRIOR_SECONDS: Final = {
    "prism-admin": 1.0,
    "pattern-launcher": 1.0,
    "memstore": 0.0,
    "redis": 3.8,
    "postgres": 5.8,
    "nats": 3.0,
    "kafka": 6.0,
}
"""With the share below, these give the request's figures for its presets."""
_PRIOR_OF_RUNTIME: Final = {Runtime.CONTAINER.value: 3.8, Runtime.EXTERNAL.value: 0.1}
_PRIOR_OF_ANY: Final = 1.0
_SHARED: Final = 0.6
"""How much of a figure of the request counts whatever is started beside it."""
_LEAST_SCALE: Final = 0.1
_MOST_SCALE: Final = 3.0
_LEAST_SECONDS: Final = 0.001
"""Nothing takes less; a logarithm wants more than nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A service that shall be started, as far as an estimate wants to know."""

    name: str
    runtime: str
    awaits: tuple[str, ...] = ()
    """What it waits for until that is good."""
    replicas: int = 1
    memory_bytes: int = 0
    """What one instance needs by its catalog entry."""
    has_kept_data: bool = False

    @property
    def part(self) -> Part:
        """What it is compared by."""
        return Part(self.name, self.runtime, self.replicas, self.has_kept_data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a start will probably take."""

    low: float
    """Seconds; nine of ten starts take more, and less than `high`, once `is_measured`."""
    high: float
    typical: float
    """Seconds: as many starts take more as less."""
    memory_bytes: int
    """What all services will use, or by their entries may need where nobody has measured them."""
    is_measured: bool
    """The very same was started here often enough; otherwise it is put together from parts."""
    starts: int
    """How many past starts it was made from."""
    is_memory_measured: bool = False
    """The memory of every service was measured here."""


def expected_of(plan: StackPlan, *, with_data: Collection[str] = ()) -> tuple[Expected, ...]:
    """The services of a plan as an estimate wants them.

    Args:
        plan: what shall be started.
        with_data: services that will find the data of an earlier run.
    """
    return tuple(
        Expected(
            name=service.name,
            runtime=service.runtime.value,
            awaits=awaited_of(service),
            replicas=service.replicas,
            memory_bytes=service.resources.memory_mb << 20,
            has_kept_data=service.name in with_data,
        )
        for service in plan.services
    )


def estimate_start(
    services: Sequence[Expected], past: Iterable[PastStart], *, engine: str, is_cold: bool
) -> Estimate:
    """What starting these services will take.

    Args:
        services: each after all it waits for.
        past: starts of this machine, in any order.
        engine: who shall run them.
        is_cold: whether agents of the engine have to be started for it.
    """
    return estimate_from(Experience.of(past, engine=engine, is_cold=is_cold), services)


def estimate_from(known: Experience, services: Sequence[Expected]) -> Estimate:
    """The same for who asks again and again.

    Args:
        known: what past starts say.
        services: each after all it waits for.
    """
    typical = _clamp(known, services, _sum_of_parts(known, services))
    own = known.whole.get(_parts(services), [])
    is_measured = len(own) >= ENOUGH_STARTS
    width = _width(own, typical) if is_measured else math.inf
    memory = [known.memory(each) for each in services]
    names = {each.name for each in services}
    return Estimate(
        low=typical * max(1 - MOST_SPREAD, math.exp(-width)),
        high=typical * min(1 + MOST_SPREAD, math.exp(min(1.0, width))),
        typical=typical,
        memory_bytes=sum(
            each.replicas * (each.memory_bytes if measured is None else measured)
            for each, measured in zip(services, memory, strict=True)
        ),
        is_measured=is_measured,
        starts=len(own)
        if is_measured
        else sum(any(each.name in names for each in start.services) for start in known.starts),
        is_memory_measured=None not in memory,
    )


def render_estimate(estimate: Estimate) -> dict[str, Any]:
    """An estimate as a document."""
    return {
        "low_seconds": round(estimate.low, 3),
        "high_seconds": round(estimate.high, 3),
        "typical_seconds": round(estimate.typical, 3),
        "measured": estimate.is_measured,
        "starts": estimate.starts,
        "memory_bytes": estimate.memory_bytes,
        "memory_measured": estimate.is_memory_measured,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What past starts say, in the form in which it is asked for; newest first throughout."""

    starts: Sequence[PastStart]
    lead_seconds: float
    seconds: Mapping[tuple[Any, ...], float]
    """Of a service, by its part; by name and runtime alone where just that part was never seen."""
    bytes: Mapping[tuple[str, str], int]
    whole: Mapping[frozenset[Part], list[float]] = field(default_factory=dict)
    """How long each selection took, of those that were started at all."""
    measured: Mapping[frozenset[Part], float] = field(default_factory=dict)
    """How long each usually takes, of those that were started often enough."""
    scale: float = 1.0
    """How this machine compares with the request's figures."""

    @classmethod
    def of(cls, past: Iterable[PastStart], *, engine: str, is_cold: bool) -> Experience:
        """What starts of an engine say about the next one, with its agents running or not."""
        ordered = sorted(past, key=lambda start: start.started_at, reverse=True)[:CONSIDERED]
        usual = [start for start in ordered if start.engine == engine and not start.has_pulled]
        alike = [start for start in usual if start.is_cold == is_cold]
        leads = [start.lead_seconds for start in alike[:NEWEST]]
        lead = _COLD_LEAD_SECONDS if is_cold else _WARM_LEAD_SECONDS
        # How a service itself comes up does not depend on the agents; those alike come first all the same.
        services = [
            service
            for starts in (alike, [start for start in usual if start.is_cold != is_cold])
            for start in starts
            for service in start.services
        ]
        seconds: dict[tuple[Any, ...], float] = {
            **_medians(services, key=lambda each: (each.name, each.runtime)),
            **_medians(services, key=lambda each: each.part),
        }
        whole: dict[frozenset[Part], list[float]] = {}
        for start in alike:
            times = whole.setdefault(start.parts, [])
            if len(times) < NEWEST:
                times.append(max(_LEAST_SECONDS, start.ready_seconds))
        return cls(
            starts=usual,
            lead_seconds=statistics.median(leads) if leads else lead,
            seconds=seconds,
            bytes=_median_bytes([each for start in ordered for each in start.services]),
            whole=whole,
            measured={
                parts: statistics.median(times)
                for parts, times in whole.items()
                if len(times) >= ENOUGH_STARTS
            },
            scale=_compare(seconds),
        )

    def own_seconds(self, service: Expected) -> float | None:
        """How long it takes by itself, where that was ever seen."""
        whole = self.seconds.get(service.part)
        return self.seconds.get((service.name, service.runtime)) if whole is None else whole

    def memory(self, service: Expected) -> int | None:
        """What one instance uses, where that was ever measured."""
        return self.bytes.get((service.name, service.runtime))


def _parts(services: Sequence[Expected]) -> frozenset[Part]:
    return frozenset(each.part for each in services)


def _sum_of_parts(known: Experience, services: Sequence[Expected]) -> float:
    """Lead and slowest chain; what was never seen here is guessed."""
    good_at: dict[str, float] = {}
    shared = 0.0
    for each in services:
        seconds = known.own_seconds(each)
        if seconds is None:
            guess = known.scale * _guess(each.name, each.runtime)
            shared += _SHARED * guess
            seconds = guess - _SHARED * guess
        awaited = (good_at[name] for name in each.awaits if name in good_at)
        good_at[each.name] = max(awaited, default=0.0) + seconds
    chain = max(good_at.values(), default=0.0)
    return max(_LEAST_SECONDS, known.lead_seconds + chain + shared)


def _clamp(known: Experience, services: Sequence[Expected], guess: float) -> float:
    """Between what was measured of the largest parts of it and of the smallest wholes it is in."""
    parts = _parts(services)
    measured = known.measured.items()
    low = max((seconds for each, seconds in measured if each <= parts), default=0.0)
    high = min((seconds for each, seconds in measured if each >= parts), default=math.inf)
    return min(max(guess, low), high) if low <= high else (low + high) / 2


def _width(times: Sequence[float], typical: float) -> float:
    """How far the logarithm of the next start may be from that of the typical one."""
    logarithms = [math.log(each) for each in times]
    count = len(times)
    quantile = _T_QUANTILES[min(count, NEWEST) - ENOUGH_STARTS]
    width = quantile * statistics.stdev(logarithms) * math.sqrt(1 + math.pi / (2 * count))
    # Where others contradict what was measured, the range has both.
    shift = abs(statistics.median(logarithms) - math.log(typical))
    return max(math.log(1 + LEAST_SPREAD), width + shift)


def _guess(name: str, runtime: str) -> float:
    known = _PRIOR_SECONDS.get(name)
    return _PRIOR_OF_RUNTIME.get(runtime, _PRIOR_OF_ANY) if known is None else known


def _compare(seconds: Mapping[tuple[Any, ...], float]) -> float:
    """What this machine takes for what the request names, as a share of the request's figures."""
    shares = [
        seconds[key] / figure
        for key in seconds
        if not isinstance(key, Part) and (figure := _PRIOR_SECONDS.get(key[0]))
    ]
    return min(_MOST_SCALE, max(_LEAST_SCALE, statistics.median(shares))) if shares else 1.0


def _medians(
    services: Iterable[PastService], *, key: Callable[[PastService], tuple[Any, ...]]
) -> dict[tuple[Any, ...], float]:
    # Sorting is stable: those of one key stay newest first.
    groups = groupby(sorted(services, key=key), key=key)
    return {
        name: max(0.0, statistics.median([each.seconds for each in group][:NEWEST]))
        for name, group in groups
    }


def _median_bytes(services: Iterable[PastService]) -> dict[tuple[str, str], int]:
    known: dict[tuple[str, str], list[int]] = {}
    for each in services:
        if each.memory_bytes is not None:
            sizes = known.setdefault((each.name, each.runtime), [])
            if len(sizes) < NEWEST:
                sizes.append(each.memory_bytes)
    return {key: round(statistics.median(sizes)) for key, sizes in known.items()}
