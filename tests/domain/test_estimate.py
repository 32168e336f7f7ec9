from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.estimate import (
    ENOUGH_STARTS,
    MOST_SPREAD,
    Estimate,
    Expected,
    estimate_start,
    render_estimate,
)
from prismctl.domain.past_starts import PastAgent, PastService, PastStart

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("prism-admin", "pattern-launcher", "memstore", "redis", "nats", "kafka", "mine", "yours")
AWAITED = {"pattern-launcher": ("prism-admin",), "yours": ("mine", "redis")}


def expected(*names: str, runtime: str = "container") -> list[Expected]:
    return [
        Expected(name=name, runtime=runtime, awaits=AWAITED.get(name, ()), memory_bytes=1000)
        for name in names
    ]


def past(
    number: int,
    ready_seconds: float,
    *,
    engine: str = "nomad",
    is_cold: bool = True,
    lead_seconds: float = 1.0,
    runtime: str = "container",
    memory_bytes: int | None = None,
    more: Mapping[str, float] = MappingProxyType({}),
    **seconds: float,
) -> PastStart:
    services = tuple(
        PastService(
            name=name.replace("_", "-"), runtime=runtime, seconds=each, memory_bytes=memory_bytes
        )
        for name, each in {**seconds, **more}.items()
    )
    return PastStart(
        started_at=float(number),
        stack="default",
        engine=engine,
        origin="test",
        ready_seconds=ready_seconds,
        lead_seconds=lead_seconds,
        agents=(PastAgent(name="nomad", seconds=1.0, is_cold=is_cold),)
        if engine == "nomad"
        else (),
        services=services,
    )


def cold(services: list[Expected], starts: list[PastStart]) -> Estimate:
    return estimate_start(services, starts, engine="nomad", is_cold=True)


PRESETS = {
    "minimal": ((), 5),
    "redis": (("redis",), 8),
    "postgres": (("postgres",), 10),
    "messaging": (("nats", "kafka"), 12),
    "full": (("redis", "postgres", "nats", "kafka"), 18),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_machine_without_history_has_the_figures_of_the_request(preset: str) -> None:
    more, figure = PRESETS[preset]
    estimate = cold(expected("prism-admin", "pattern-launcher", "memstore", *more), [])
    assert round(estimate.typical) == figure
    assert not estimate.is_measured
    assert estimate.starts == 0


def test_after_five_starts_the_range_is_that_of_the_starts() -> None:
    times = (2.8, 2.9, 3.0, 3.1, 3.2)
    starts = [past(n, each, redis=each - 1.0) for n, each in enumerate(times)]
    estimate = cold(expected("redis"), starts)
    assert estimate.is_measured
    assert estimate.starts == 5
    assert estimate.typical == pytest.approx(3.0)
    assert estimate.low < 2.8
    assert estimate.high > 3.2
    assert not cold(expected("redis"), starts[1:]).is_measured


def test_what_was_never_started_together_is_lead_and_slowest_chain() -> None:
    starts = [
        past(1, 3.0, lead_seconds=1.0, prism_admin=0.5, pattern_launcher=0.7),
        past(2, 3.0, lead_seconds=1.0, redis=0.9, mine=0.1),
    ]
    chosen = expected("prism-admin", "pattern-launcher", "redis", "mine")
    assert cold(chosen, starts).typical == pytest.approx(1.0 + 0.5 + 0.7)
    assert cold(chosen, starts).starts == 2


def test_another_engine_runtime_or_warm_agents_are_not_the_same_start() -> None:
    starts = [past(n, 9.0, redis=8.0) for n in range(6)]
    assert cold(expected("redis"), starts).is_measured
    for other in (
        estimate_start(expected("redis"), starts, engine="local", is_cold=False),
        estimate_start(expected("redis"), starts, engine="nomad", is_cold=False),
        cold(expected("redis", runtime="native"), starts),
        cold([replace(expected("redis")[0], has_kept_data=True)], starts),
        cold([replace(expected("redis")[0], replicas=2)], starts),
    ):
        assert not other.is_measured


def test_a_start_that_fetched_images_says_nothing_about_the_next() -> None:
    starts = [past(n, 2.0, redis=1.0) for n in range(5)]
    slow = [replace(past(9 + n, 90.0, redis=80.0), has_pulled=True) for n in range(9)]
    assert cold(expected("redis"), [*starts, *slow]) == cold(expected("redis"), starts)


def test_what_a_machine_did_long_ago_is_forgotten() -> None:
    old = [past(n, 20.0, redis=19.0) for n in range(50)]
    new = [past(100 + n, 2.0, redis=1.0) for n in range(20)]
    assert cold(expected("redis"), [*new, *old]).typical == pytest.approx(2.0)


def test_a_fast_machine_scales_what_it_never_started() -> None:
    starts = [past(n, 1.5, prism_admin=0.2, pattern_launcher=0.2) for n in range(3)]
    slow = cold(expected("kafka"), [])
    fast = cold(expected("kafka"), starts)
    assert fast.typical - 1.0 == pytest.approx((slow.typical - 3.0) * 0.2)


def test_memory_is_what_was_measured_and_the_entry_s_where_nothing_was() -> None:
    starts = [past(n, 2.0, redis=1.0, memory_bytes=size) for n, size in enumerate((70, 90, 80))]
    one = cold(expected("redis"), starts)
    assert (one.memory_bytes, one.is_memory_measured) == (80, True)
    two = cold([*expected("redis"), replace(expected("nats")[0], replicas=3)], starts)
    assert (two.memory_bytes, two.is_memory_measured) == (80 + 3000, False)


def test_nothing_at_all_can_be_estimated() -> None:
    estimate = estimate_start([], [], engine="local", is_cold=False)
    assert 0 < estimate.low <= estimate.typical <= estimate.high
    assert estimate.memory_bytes == 0
    assert render_estimate(estimate)["measured"] is False


SECONDS = st.floats(0.001, 500)


@st.composite
def histories(draw: st.DrawFn) -> list[PastStart]:
    """Starts of some selections, several times each, as contradictory as can be."""
    starts: list[PastStart] = []
    for _ in range(draw(st.integers(0, 4))):
        chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=5))
        for _ in range(draw(st.integers(1, 7))):
            starts.append(
                past(
                    len(starts),
                    draw(SECONDS),
                    is_cold=draw(st.booleans()),
                    lead_seconds=draw(SECONDS),
                    more={name: draw(SECONDS) for name in chosen},
                )
            )
    return starts


@given(
    starts=histories(),
    names=st.sets(st.sampled_from(NAMES)),
    added=st.sampled_from(NAMES),
    is_cold=st.booleans(),
)
def test_adding_a_service_never_makes_an_estimate_shorter(
    starts: list[PastStart], names: set[str], added: str, *, is_cold: bool
) -> None:
    before, after = (
        estimate_start(
            expected(*(name for name in NAMES if name in chosen)),
            starts,
            engine="nomad",
            is_cold=is_cold,
        )
        for chosen in (names, {*names, added})
    )
    assert after.typical >= before.typical
    assert after.memory_bytes >= before.memory_bytes


@given(histories(), st.sets(st.sampled_from(NAMES)))
def test_a_range_holds_what_is_typical_and_has_a_bounded_width(
    starts: list[PastStart], names: set[str]
) -> None:
    estimate = cold(expected(*(name for name in NAMES if name in names)), starts)
    assert 0 < estimate.low < estimate.typical < estimate.high < math.inf
    assert estimate.low >= estimate.typical * (1 - MOST_SPREAD) * 0.999
    assert estimate.high <= estimate.typical * (1 + MOST_SPREAD) * 1.001


@given(histories(), st.randoms())
def test_the_order_in_which_starts_are_given_does_not_matter(
    starts: list[PastStart], shuffler: random.Random
) -> None:
    mixed = list(starts)
    shuffler.shuffle(mixed)
    chosen = expected("redis", "mine", "yours")
    assert cold(chosen, mixed) == cold(chosen, starts)


@pytest.mark.parametrize("sigma", [0.03, 0.08, 0.15])
def test_nine_of_ten_starts_fall_into_the_range_once_there_are_five(sigma: float) -> None:
    draws = random.Random(20260102)  # noqa: S311 - the same draws each time
    inside: list[bool] = []
    for _ in range(40):
        starts: list[PastStart] = []
        for number in range(30):
            seconds = 2.5 * draws.lognormvariate(0, sigma)
            if number >= ENOUGH_STARTS:
                estimate = cold(expected("redis"), starts)
                inside.append(estimate.low <= seconds <= estimate.high)
            starts.append(past(number, seconds, redis=seconds - 1))
    assert statistics.mean(inside) >= 0.9
