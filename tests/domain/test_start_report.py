from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.past_starts import PastAgent, PastService, PastStart
from prismctl.domain.start_report import PartKind, StartReport, render_report, report_start

AWAITED = {"admin": (), "redis": (), "launcher": ("admin",), "worker": ("launcher", "redis")}


def start(at: float, *, lead: float = 1.0, **seconds: float) -> PastStart:
    times = {"admin": 0.5, "redis": 0.2, "launcher": 0.3, "worker": 0.1} | seconds
    return PastStart(
        started_at=at,
        stack="default",
        engine="nomad",
        origin="mine",
        ready_seconds=lead
        + max(times["admin"] + times["launcher"], times["redis"])
        + times["worker"],
        lead_seconds=lead,
        agents=(PastAgent(name="nomad", seconds=lead - 0.2, is_cold=True),),
        services=tuple(
            PastService(name=name, runtime="native", seconds=value) for name, value in times.items()
        ),
    )


def part(report: StartReport, name: str) -> Any:
    return next(each for each in report.parts if each.name == name)


def test_each_part_stands_beside_what_it_usually_takes() -> None:
    past = [start(at, admin=seconds) for at, seconds in ((1.0, 0.4), (2.0, 0.6), (3.0, 9.0))]
    report = report_start(start(4.0), past, AWAITED)
    admin = part(report, "admin")
    assert (admin.seconds, admin.usual_seconds, admin.compared) == (0.5, 0.6, 3)
    assert not admin.is_slower
    assert report.compared == 3
    assert [each.kind for each in report.parts][:3] == [
        PartKind.LEAD,
        PartKind.AGENT,
        PartKind.SERVICE,
    ]


def test_what_took_clearly_longer_is_named() -> None:
    report = report_start(start(9.0, redis=0.9), [start(1.0), start(2.0)], AWAITED)
    assert [each.name for each in report.parts if each.is_slower] == ["redis"]


def test_a_tenth_of_a_second_more_is_not_worth_a_word() -> None:
    report = report_start(start(9.0, worker=0.2), [start(1.0)], AWAITED)
    assert not part(report, "worker").is_slower


def test_the_critical_path_is_the_chain_that_was_good_last() -> None:
    assert report_start(start(1.0), [], AWAITED).critical_path == ("admin", "launcher", "worker")
    slow_redis = report_start(start(1.0, redis=3.0), [], AWAITED)
    assert slow_redis.critical_path == ("redis", "worker")
    assert [each.name for each in slow_redis.parts if each.is_critical] == ["", "redis", "worker"]


def test_without_dependencies_there_is_no_critical_path() -> None:
    assert report_start(start(1.0), []).critical_path == ()


def test_starts_with_images_fetched_and_other_engines_do_not_count() -> None:
    others = [replace(start(1.0), has_pulled=True), replace(start(2.0), engine="local")]
    report = report_start(start(3.0), others, AWAITED)
    assert report.usual_seconds is None
    assert part(report, "admin").usual_seconds is None


def test_later_starts_and_the_start_itself_do_not_count() -> None:
    own = start(2.0)
    report = report_start(own, [own, start(1.0, admin=0.7), start(3.0, admin=5.0)], AWAITED)
    assert part(report, "admin").usual_seconds == 0.7


def test_an_agent_that_was_there_already_took_no_time() -> None:
    warm = replace(start(1.0), agents=(PastAgent(name="nomad", seconds=None, is_cold=False),))
    assert [
        each for each in report_start(warm, [], AWAITED).parts if each.kind is PartKind.AGENT
    ] == []


@given(st.lists(st.floats(0.01, 5.0), min_size=4, max_size=4), st.integers(0, 15))
def test_lead_and_critical_path_add_up_to_the_whole(times: list[float], earlier: int) -> None:
    named = dict(zip(("admin", "redis", "launcher", "worker"), times, strict=True))
    report = report_start(
        start(100.0, **named), [start(float(at)) for at in range(earlier)], AWAITED
    )
    total = sum(each.seconds or 0.0 for each in report.parts if each.is_critical)
    assert abs(total - report.ready_seconds) < 1e-6
    assert report.compared == min(earlier, 10)
    assert render_report(report)["parts"][0]["type"] == "lead"
