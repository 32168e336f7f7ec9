"""A start was typed over a stack with more in it, and took redis away without a word."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prismctl.domain.disturbance import (
    Disturbance,
    DisturbanceKind,
    describe_disturbances,
    find_disturbances,
    is_felt,
)
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.present.disturbance import disturbance_lines, plain_disturbance_lines

if TYPE_CHECKING:
    from prismctl.present.text import Line


def service(name: str, **fields: Any) -> ServicePlan:
    known: dict[str, Any] = {
        "type": ServiceType.BACKEND,
        "source": "--with",
        "runtime": Runtime.NATIVE,
        "runtime_reason": "",
        "ports": (Port(name="main", number=7000),),
    }
    return ServicePlan(name=ServiceName(name), **{**known, **fields})


def plan(*services: ServicePlan, engine: EngineName = EngineName.LOCAL) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=engine,
        engine_reason="",
        origin="minimal",
        services=services,
    )


def of(before: StackPlan | None, after: StackPlan) -> list[tuple[str, str, str]]:
    return [(each.kind.value, each.service, each.why) for each in find_disturbances(before, after)]


def texts(lines: list[Line]) -> list[str]:
    return ["".join(span.text for span in each).rstrip() for each in lines]


WEB, REDIS = service("web"), service("redis")


def test_a_first_plan_and_the_same_plan_again_disturb_nothing() -> None:
    assert of(None, plan(WEB)) == []
    assert of(plan(WEB, REDIS), plan(WEB, REDIS)) == []
    assert of(plan(WEB), plan(WEB, REDIS)) == []


def test_what_is_not_in_the_new_plan_goes() -> None:
    assert of(plan(WEB, REDIS), plan(WEB)) == [("remove", "redis", "not in this plan")]


def test_a_port_that_moves_is_told_with_both_numbers_because_the_service_restarts() -> None:
    moved = replace(WEB, ports=(Port(name="main", number=7001),))
    assert of(plan(WEB), plan(moved)) == [("restart", "web", "port 7000 → 7001")]


def test_of_several_ports_the_one_that_moves_is_named() -> None:
    both = (Port(name="main", number=7000), Port(name="admin", number=7100))
    after = (both[0], replace(both[1], number=7200))
    told = of(plan(replace(WEB, ports=both)), plan(replace(WEB, ports=after)))
    assert told == [("restart", "web", "port admin 7100 → 7200")]


def test_variables_are_told_by_name_and_never_by_value() -> None:
    before = replace(WEB, env={"TOKEN": "old-secret", "MODE": "a"})
    after = replace(WEB, env={"TOKEN": "new-secret", "MODE": "a"})
    assert of(plan(before), plan(after)) == [("restart", "web", "another TOKEN")]


def test_fewer_instances_are_a_loss_and_more_are_none() -> None:
    three = replace(WEB, replicas=3)
    (fewer,) = find_disturbances(plan(three), plan(WEB))
    assert (fewer.kind, fewer.why, fewer.is_loss) == (DisturbanceKind.SCALE, "3 → 1", True)
    (more,) = find_disturbances(plan(WEB), plan(three))
    assert not more.is_loss


def test_another_engine_starts_everything_anew_and_says_what_becomes_of_the_data() -> None:
    (told,) = of(plan(WEB), plan(WEB, engine=EngineName.NOMAD))
    assert told[:2] == ("restart", "web")
    assert told[2].startswith("engine local → nomad; data that is not kept is put aside")


def test_only_the_end_of_something_that_is_well_is_worth_a_question() -> None:
    gone = find_disturbances(plan(WEB, REDIS), plan(WEB))
    well = {"name": "redis", "replicas": {"wanted": 1, "healthy": 1}}
    down = {"name": "redis", "replicas": {"wanted": 1, "healthy": 0}}
    assert is_felt(gone, [well])
    assert not is_felt(gone, [down])
    more = (Disturbance(kind=DisturbanceKind.SCALE, service="redis", is_loss=False),)
    assert not is_felt(more, [well])


def test_all_of_it_is_told_in_lines_and_in_one_line() -> None:
    before = plan(replace(WEB, replicas=2), REDIS, service("nats"))
    moved = service("nats", ports=(Port(name="main", number=7001),))
    found = find_disturbances(before, plan(WEB, moved))
    assert texts(plain_disturbance_lines(found)) == [
        "remove   redis not in this plan",
        "scale    web 2 → 1",
        "restart  nats port 7000 → 7001",
    ]
    assert texts(disturbance_lines(found, width=60)) == [
        "of what runs already:",
        "  remove   redis   not in this plan",
        "  scale    web     2 → 1",
        "  restart  nats    port 7000 → 7001",
    ]
    assert describe_disturbances(found) == "removes redis, scales web 2 → 1, restarts nats"
