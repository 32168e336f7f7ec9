from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prismctl.domain.events import EventKind, StackEvent
from prismctl.domain.needs import Condition, Need
from prismctl.domain.past_starts import Part, PastStart, describe_start
from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.domain.snapshot import ServiceSnapshot, ServiceState, StackSnapshot, StackState

BEGAN = 1000.0


def service(name: str, *needs: str, **fields: Any) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.APPLICATION,
        source="--with",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        depends_on=tuple(ServiceName(each) for each in needs),
        **fields,
    )


def snapshot(
    *, ready: float = 4.0, apply: float = 3.5, state: StackState = StackState.RUNNING, **good: float
) -> StackSnapshot:
    """A stack whose services were good so long after the plan was accepted."""
    services = tuple(
        ServiceSnapshot(
            name=ServiceName(name),
            type="application",
            runtime="native",
            state=ServiceState.HEALTHY,
            healthy_after_seconds=after,
        )
        for name, after in good.items()
    )
    return StackSnapshot(
        stack=StackName("default"),
        engine="nomad",
        state=state,
        services=services,
        started_at=BEGAN,
        ready_seconds=ready,
        apply_seconds=apply,
    )


def events(*more: tuple[EventKind, str, float], **accepted: Any) -> list[StackEvent]:
    told = [(EventKind.PLAN_ACCEPTED, "", 0.5), *more]
    return [
        StackEvent(
            sequence=index,
            time=BEGAN + after,
            kind=kind,
            service=name,
            details=accepted if kind is EventKind.PLAN_ACCEPTED else {"seconds": 1.0},
        )
        for index, (kind, name, after) in enumerate(told, 1)
    ]


def plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="mine",
        services=services,
    )


def seconds_of(start: PastStart | None) -> dict[str, float]:
    assert start is not None
    return {each.name: round(each.seconds, 6) for each in start.services}


def test_each_service_has_the_time_after_all_it_waited_for() -> None:
    shape = plan(service("base"), service("other"), service("top", "base", "other"))
    start = describe_start(shape, snapshot(base=1.0, other=2.0, top=3.5), events())
    assert seconds_of(start) == {"base": 1.0, "other": 2.0, "top": 1.5}
    assert start is not None
    assert start.lead_seconds == 0.5
    assert not start.is_cold
    assert start.parts == {Part(name, "native") for name in ("base", "other", "top")}


def test_agents_that_were_waited_for_are_in_the_lead_and_in_no_service() -> None:
    ready = [(EventKind.COMPONENT_READY, "consul", 0.2), (EventKind.COMPONENT_READY, "nomad", 2.5)]
    start = describe_start(plan(service("base")), snapshot(base=3.5), events(*ready))
    assert seconds_of(start) == {"base": 1.5}
    assert start is not None
    assert start.lead_seconds == 2.5
    assert start.is_cold
    assert [(each.name, each.seconds) for each in start.agents] == [("consul", 1.0), ("nomad", 1.0)]


def test_trying_containers_before_a_first_start_was_taken_for_what_every_start_needs() -> None:
    shape = replace(plan(service("base")), once_seconds=14.0)
    told = [
        StackEvent(
            sequence=1, time=BEGAN + 15.0, kind=EventKind.PLAN_ACCEPTED, service="", details={}
        ),
        StackEvent(
            sequence=2,
            time=BEGAN + 2.5,
            kind=EventKind.COMPONENT_READY,
            service="nomad",
            details={"seconds": 2.0},
        ),
    ]
    start = describe_start(shape, snapshot(ready=18.0, apply=3.0, base=3.0), told)
    assert start is not None
    # Nomad would still have been waited for.
    assert (start.lead_seconds, start.ready_seconds) == (2.5, 5.5)
    assert seconds_of(start) == {"base": 3.0}


def test_agents_that_were_there_before_make_a_warm_start() -> None:
    ready = (EventKind.COMPONENT_READY, "nomad", -5.0)
    start = describe_start(plan(service("base")), snapshot(base=3.5), events(ready))
    assert start is not None
    assert not start.is_cold
    assert start.lead_seconds == 0.5


def test_what_only_has_to_have_begun_takes_no_time() -> None:
    need = {ServiceName("base"): Need(Condition.STARTED)}
    shape = plan(service("base"), service("top", "base", needs=need))
    start = describe_start(shape, snapshot(base=3.0, top=3.5), events())
    assert seconds_of(start) == {"base": 3.0, "top": 3.5}


def test_data_that_was_kept_and_images_that_were_fetched_are_remembered() -> None:
    pulled = (EventKind.IMAGE_PULLING, "base", 0.6)
    start = describe_start(
        plan(service("base"), service("other")),
        snapshot(base=1.0, other=1.0),
        events(pulled, kept=["base"]),
    )
    assert start is not None
    assert start.has_pulled
    assert [each.has_kept_data for each in start.services] == [True, False]


@pytest.mark.parametrize(
    "more",
    [
        (EventKind.PLAN_ACCEPTED, "", 9.0),
        (EventKind.SERVICE_FAILED, "base", 1.0),
        (EventKind.COMPONENT_LOST, "keeper", 1.0),
    ],
)
def test_a_start_like_no_other_is_not_remembered(more: tuple[EventKind, str, float]) -> None:
    assert describe_start(plan(service("base")), snapshot(base=1.0), events(more)) is None


def test_a_stack_that_is_not_up_is_not_remembered() -> None:
    shape = plan(service("base"))
    down = snapshot(base=1.0, state=StackState.FAILED)
    assert describe_start(shape, down, events()) is None
    assert describe_start(shape, snapshot(), events()) is None
    assert describe_start(shape, snapshot(base=1.0), []) is None
