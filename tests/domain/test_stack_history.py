"""What is remembered of a stack's life, and for how long that stays true."""

from __future__ import annotations

from dataclasses import replace

from prismctl.domain.plan import EngineName, ServicePlan, StackPlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType, StackName
from prismctl.domain.setback import Setback
from prismctl.domain.snapshot import ServiceSnapshot, ServiceState, StackSnapshot, StackState
from prismctl.domain.stack_history import (
    MAX_NOTES,
    StackHistory,
    add_comeback,
    add_note,
    advance,
    continue_history,
)

ADMIN = ServiceName("prism-admin")
LAUNCHER = ServiceName("pattern-launcher")
BEGUN = StackHistory(started_at=90.0, applied_at=100.0)


def planned(name: ServiceName) -> ServicePlan:
    return ServicePlan(
        name=name,
        type=ServiceType.CORE,
        source="required",
        runtime=Runtime.BUILTIN,
        runtime_reason="",
    )


def plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="minimal",
        services=services,
    )


def snapshot(**states: ServiceState) -> StackSnapshot:
    services = tuple(
        ServiceSnapshot(
            name=ServiceName(name), type="core", runtime="builtin", state=state, reason="refused"
        )
        for name, state in states.items()
    )
    return StackSnapshot(
        stack=StackName("default"), engine="local", state=StackState.STARTING, services=services
    )


def test_nothing_new_is_the_same_history() -> None:
    shown = snapshot(a=ServiceState.HEALTHY, b=ServiceState.UNHEALTHY)

    after = advance(BEGUN, shown, 101.0)

    assert after is not BEGUN
    assert advance(after, shown, 102.0) is after


def test_a_start_took_until_the_last_service_was_up_and_not_longer() -> None:
    half = advance(BEGUN, snapshot(a=ServiceState.HEALTHY, b=ServiceState.STARTING), 101.0)
    whole = advance(half, snapshot(a=ServiceState.HEALTHY, b=ServiceState.HEALTHY), 102.0)
    later = advance(whole, snapshot(a=ServiceState.STARTING, b=ServiceState.HEALTHY), 103.0)
    again = advance(later, snapshot(a=ServiceState.HEALTHY, b=ServiceState.HEALTHY), 104.0)

    assert (half.has_settled, half.ready_seconds) == (False, None)
    assert (whole.apply_seconds, whole.ready_seconds) == (2.0, 12.0)
    assert whole.healthy_after_seconds == {"a": 1.0, "b": 2.0}
    assert again is whole


def test_a_start_with_a_failure_has_settled_and_was_never_ready() -> None:
    after = advance(BEGUN, snapshot(a=ServiceState.HEALTHY, b=ServiceState.FAILED), 101.0)

    assert (after.has_settled, after.ready_seconds) == (True, None)
    assert after.last_errors == {"b": "refused"}


def test_another_plan_leaves_alone_what_is_true_of_services_it_does_not_touch() -> None:
    admin, launcher = planned(ADMIN), planned(LAUNCHER)
    lived = replace(
        BEGUN,
        has_settled=True,
        healthy_after_seconds={ADMIN: 1.0, LAUNCHER: 2.0},
        last_errors={ADMIN: "exited", LAUNCHER: "exited"},
        setbacks={ADMIN: Setback(at=110.0), LAUNCHER: Setback(at=111.0)},
    )

    after = continue_history(
        lived, plan(admin, launcher), plan(admin, replace(launcher, env={"A": "1"})), 200.0
    )

    assert (after.started_at, after.applied_at, after.has_settled) == (90.0, 200.0, False)
    assert [set(each) for each in (after.healthy_after_seconds, after.last_errors)] == [{ADMIN}] * 2
    assert after.setbacks == {ADMIN: Setback(at=110.0)}


def test_comebacks_of_a_component_are_counted() -> None:
    once = add_comeback(BEGUN, "nomad", 150.0, 152.0)
    twice = add_comeback(add_comeback(once, "keeper", 160.0, 161.0), "nomad", 170.0, 171.0)

    assert (twice.comebacks["nomad"].times, twice.comebacks["nomad"].seconds) == (2, 1.0)
    assert twice.comebacks["keeper"].times == 1


def test_only_the_newest_notes_are_kept() -> None:
    history = BEGUN
    for number in range(MAX_NOTES + 1):
        history = add_note(history, str(number))

    assert history.notes == tuple(str(number) for number in range(1, MAX_NOTES + 1))
