from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.daemon.figure_history import CAPACITY, HISTORY_SECONDS, MAX_SERVICES, FigureHistory
from prismctl.domain.rates import Traffic
from prismctl.domain.service import ServiceName, StackName
from prismctl.domain.snapshot import (
    InstanceSnapshot,
    ServiceSnapshot,
    ServiceState,
    StackSnapshot,
    StackState,
)

NOW = 1_800_000_000.0


def snapshot(*names: str, requests: float | None = 1.0) -> StackSnapshot:
    instance = InstanceSnapshot(
        index=0, state=ServiceState.HEALTHY, memory_bytes=38_123_456, cpu_percent=1.5
    )
    traffic = Traffic(requests_per_second=requests, latency_p95_seconds=0.0012345)
    return StackSnapshot(
        stack=StackName("default"),
        engine="local",
        state=StackState.RUNNING,
        services=tuple(
            ServiceSnapshot(
                name=ServiceName(name),
                type="backend",
                runtime="native",
                state=ServiceState.HEALTHY,
                instances=(instance,),
                traffic=traffic,
            )
            for name in names
        ),
    )


def test_points_are_told_as_they_were_and_what_was_not_known_as_null() -> None:
    history = FigureHistory()
    history.record(NOW, snapshot("redis", requests=45.5))
    history.record(NOW + 1, snapshot("redis", requests=None))
    assert history.render(NOW + 1) == {
        "redis": {
            "at": [NOW, NOW + 1],
            "requests_per_second": [45.5, None],
            "errors_per_second": [None, None],
            "latency_p95_seconds": [0.0012345, 0.0012345],
            "memory_bytes": [38_123_456, 38_123_456],
            "cpu_percent": [1.5, 1.5],
        }
    }


def test_only_the_services_and_the_seconds_that_are_asked_for() -> None:
    history = FigureHistory()
    for second in range(100):
        history.record(NOW + second, snapshot("a", "b"))
    found = history.render(NOW + 99, seconds=9, names=["b", "unknown"])
    assert list(found) == ["b"]
    assert found["b"]["at"] == [NOW + second for second in range(90, 100)]


def test_of_each_second_the_last_point_is_kept() -> None:
    history = FigureHistory()
    for half in range(8):
        history.record(NOW + half / 2, snapshot("a", requests=float(half)))
    assert history.render(NOW + 4)["a"]["requests_per_second"] == [1.0, 3.0, 5.0, 7.0]


def test_a_service_that_is_gone_is_forgotten_with_its_last_point() -> None:
    history = FigureHistory()
    history.record(NOW, snapshot("gone", "stays"))
    history.record(NOW + HISTORY_SECONDS + 1, snapshot("stays"))
    assert list(history.render(NOW + HISTORY_SECONDS + 1)) == ["stays"]
    assert history.services == 1


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=60), st.floats(1.0, 700.0))
def test_points_are_in_order_and_none_is_older_than_was_asked_for(
    pauses: list[float], seconds: float
) -> None:
    history = FigureHistory()
    at = NOW
    for number, pause in enumerate(pauses):
        at += pause
        history.record(at, snapshot("a", requests=float(number)))
    found = history.render(at, seconds=seconds).get("a")
    assert found is not None
    assert found["at"] == sorted(found["at"])
    assert found["at"][0] >= at - min(seconds, HISTORY_SECONDS) - 0.001
    assert found["requests_per_second"][-1] == len(pauses) - 1
    assert {len(column) for column in found.values()} == {len(found["at"])}


def test_ten_minutes_of_300_services_take_a_bounded_amount_of_memory() -> None:
    names = [f"service-{number}" for number in range(300)]
    now = snapshot(*names)
    tracemalloc.start()
    try:
        history = FigureHistory()
        for second in range(40):
            history.record(NOW + second, now)
        early = tracemalloc.get_traced_memory()[0]
        for second in range(40, 2 * CAPACITY, 7):
            history.record(NOW + second, now)
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert early < 8 << 20
    assert late < early + (1 << 18)


@pytest.mark.parametrize("rounds", [3])
def test_services_that_come_and_go_do_not_add_up(rounds: int) -> None:
    history = FigureHistory()
    for number in range(rounds):
        names = [f"{number}-{each}" for each in range(MAX_SERVICES)]
        history.record(NOW + number, snapshot(*names))
    assert history.services == MAX_SERVICES
