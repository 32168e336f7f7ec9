from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismctl.domain.fold import fold_snapshot
from prismctl.domain.needs import Condition, Need
from prismctl.domain.observation import (
    ComponentObservation,
    ComponentState,
    InstanceKey,
    InstanceObservation,
    Phase,
    ProbeResult,
    UsageSample,
    WorldView,
)
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.domain.setback import Setback
from prismctl.domain.snapshot import ServiceState, StackSnapshot, StackState
from prismctl.domain.stack_history import StackHistory

NOW = 1000.0
ADMIN = ServiceName("prism-admin")
LAUNCHER = ServiceName("pattern-launcher")
CHECK = HealthCheck(type=CheckType.TCP, port=8981, start_period_seconds=30.0)


def service(name: str, **fields: Any) -> ServicePlan:
    return ServicePlan(
        name=ServiceName(name),
        **{
            "type": ServiceType.CORE,
            "source": "required",
            "runtime": Runtime.BUILTIN,
            "runtime_reason": "",
            "check": CHECK,
            "ports": (Port(name="grpc", number=8981),),
            **fields,
        },
    )


def plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="minimal",
        services=services,
    )


PAIR = plan(service(ADMIN), service(LAUNCHER, depends_on=(ADMIN,)))


def seen(name: str, phase: Phase = Phase.RUNNING, **fields: Any) -> InstanceObservation:
    return InstanceObservation(
        key=InstanceKey(ServiceName(name), fields.pop("replica", 0)),
        phase=phase,
        **{
            "pid": 4711 if phase is Phase.RUNNING else None,
            "run": "r1",
            "started_at": NOW - 10,
            **fields,
        },
    )


def answer(
    name: str, *, is_ok: bool, message: str = "", run: str = "r1", replica: int = 0
) -> ProbeResult:
    key = InstanceKey(ServiceName(name), replica)
    return ProbeResult(key=key, run=run, is_ok=is_ok, at=NOW - 9.7, message=message)


def world(*facts: InstanceObservation | ProbeResult | UsageSample, **fields: Any) -> WorldView:
    return WorldView(
        instances={fact.key: fact for fact in facts if isinstance(fact, InstanceObservation)},
        probes={fact.key: fact for fact in facts if isinstance(fact, ProbeResult)},
        usage={fact.key: fact for fact in facts if isinstance(fact, UsageSample)},
        **fields,
    )


def fold(
    view: WorldView, stack: StackPlan = PAIR, now: float = NOW, **history: Any
) -> StackSnapshot:
    return fold_snapshot(stack, view, now, StackHistory(**history))


def judged(view: WorldView, name: str = ADMIN, **history: Any) -> tuple[ServiceState, str]:
    result = fold(view, **history).service(name)
    return result.state, result.reason


def test_an_answer_makes_an_instance_healthy() -> None:
    assert judged(world(seen(ADMIN), answer(ADMIN, is_ok=True))) == (ServiceState.HEALTHY, "")


def test_a_starting_service_says_what_the_last_question_brought() -> None:
    refused = answer(ADMIN, is_ok=False, message="connection refused on 127.0.0.1:8981")
    assert judged(world(seen(ADMIN), refused)) == (
        ServiceState.STARTING,
        "connection refused on 127.0.0.1:8981, 0.3 s",
    )


def test_it_is_starting_and_not_unhealthy_until_its_start_period_is_over() -> None:
    refused = answer(ADMIN, is_ok=False, message="connection refused")
    view = world(seen(ADMIN), refused)
    assert fold(view, now=NOW + 19.9).service(ADMIN).state is ServiceState.STARTING
    assert fold(view, now=NOW + 20.1).service(ADMIN).state is ServiceState.UNHEALTHY


def test_what_was_never_asked_is_not_called_unhealthy_however_long_it_runs() -> None:
    old = fold(world(seen(ADMIN)), now=NOW + 1000).service(ADMIN)
    assert (old.state, old.reason) == (ServiceState.STARTING, "was not asked yet")
    assert old.last_error is None


def test_a_service_that_answered_and_does_not_any_more_is_unhealthy_at_once() -> None:
    view = world(
        seen(ADMIN),
        answer(ADMIN, is_ok=False, message="timed out after 2 s"),
        healthy_since={InstanceKey(ADMIN, 0): NOW - 5},
    )
    assert judged(view) == (ServiceState.UNHEALTHY, "timed out after 2 s")


def test_an_answer_about_an_earlier_run_says_nothing() -> None:
    view = world(seen(ADMIN, run="r2"), answer(ADMIN, is_ok=True, run="r1"))
    assert judged(view) == (ServiceState.STARTING, "")


def test_what_waits_says_for_whom() -> None:
    view = world(seen(ADMIN), seen(LAUNCHER, Phase.WAITING))
    assert judged(view, LAUNCHER) == (ServiceState.WAITING, "waits for prism-admin")


def test_what_waits_for_something_else_says_what_its_engine_knows() -> None:
    view = world(
        seen(ADMIN), answer(ADMIN, is_ok=True), seen(LAUNCHER, Phase.WAITING, message="no place")
    )
    assert judged(view, LAUNCHER) == (ServiceState.WAITING, "no place")


def test_crashes_are_counted_and_the_next_try_is_told() -> None:
    view = world(seen(ADMIN, Phase.BACKOFF, exit_code=1, restarts=2, next_start_at=NOW + 0.5))
    assert judged(view) == (
        ServiceState.UNHEALTHY,
        "exited 3 times with code 1, next try in 0.5 s",
    )


def test_a_crash_while_the_stack_is_young_is_shown_as_starting() -> None:
    view = world(seen(ADMIN, Phase.BACKOFF, exit_signal=9))
    assert judged(view, applied_at=NOW - 5) == (ServiceState.STARTING, "was killed by SIGKILL")
    assert judged(view, applied_at=NOW - 31)[0] is ServiceState.UNHEALTHY
    assert (
        judged(view, applied_at=NOW - 5, healthy_after_seconds={ADMIN: 1.0})[0]
        is ServiceState.UNHEALTHY
    )


def test_a_suspended_service_is_unhealthy_whatever_it_last_said() -> None:
    usage = UsageSample(
        key=InstanceKey(ADMIN, 0), at=NOW, memory_bytes=5, cpu_percent=0, is_suspended=True
    )
    view = world(seen(ADMIN), answer(ADMIN, is_ok=True), usage)
    advice = "suspended by SIGSTOP; `kill -CONT 4711` lets it go on"
    assert judged(view) == (ServiceState.UNHEALTHY, advice)


def test_a_paused_container_is_unhealthy_whatever_it_last_said() -> None:
    hold = "paused; `podman unpause box` lets it go on"
    usage = UsageSample(key=InstanceKey(ADMIN, 0), at=NOW, memory_bytes=5, cpu_percent=0, hold=hold)
    view = world(seen(ADMIN), answer(ADMIN, is_ok=True), usage)
    assert judged(view) == (ServiceState.UNHEALTHY, hold)


def test_an_engine_that_gives_up_for_a_dependency_is_completed_with_its_reason() -> None:
    needy = seen(LAUNCHER, Phase.FAILED, message=f"{ADMIN} can never be ready")
    stack = plan(service(ADMIN), service(LAUNCHER, depends_on=(ADMIN,)))
    view = world(seen(ADMIN, Phase.FAILED, message="no such program"), needy)
    launcher = fold_snapshot(stack, view, NOW, StackHistory()).services[1]
    assert launcher.reason == f"{ADMIN} can never be ready: no such program"
    view = world(seen(ADMIN), needy)
    assert fold_snapshot(stack, view, NOW, StackHistory()).services[1].reason == needy.message


def test_a_death_that_nobody_reported_is_told_and_while_it_starts_decides_nothing() -> None:
    usage = UsageSample(
        key=InstanceKey(ADMIN, 0), at=NOW, memory_bytes=0, cpu_percent=0, death="process 7 is dead"
    )
    answered = world(seen(ADMIN), usage, healthy_since={InstanceKey(ADMIN, 0): NOW - 9})
    assert judged(answered) == (ServiceState.UNHEALTHY, "process 7 is dead")
    young = world(seen(ADMIN, started_at=NOW - 1), usage)
    assert judged(young) == (ServiceState.STARTING, "process 7 is dead")
    assert judged(world(seen(ADMIN, started_at=NOW - 100), usage))[0] is ServiceState.UNHEALTHY
    over = world(seen(ADMIN, Phase.BACKOFF, exit_signal=9), usage)
    assert judged(over, applied_at=NOW - 5) == (ServiceState.STARTING, "was killed by SIGKILL")


def test_dependents_of_a_failed_service_fail_at_once_and_name_the_root() -> None:
    chain = plan(
        service("a"),
        service("b", depends_on=(ServiceName("a"),)),
        service("c", depends_on=(ServiceName("b"),)),
    )
    view = world(seen("a", Phase.FAILED, exit_code=1, restarts=4))
    snapshot = fold(view, chain)
    reason = "a can never be ready: exited 5 times with code 1; not tried again"
    assert snapshot.service("b").reason == reason
    assert snapshot.service("c").reason == reason
    assert snapshot.service("c").state is ServiceState.FAILED
    assert snapshot.state is StackState.FAILED


def test_without_a_check_it_is_healthy_once_it_was_found_alive_after_long_enough() -> None:
    bare = plan(service("job", check=None, ports=(), min_uptime_seconds=0.1))
    assert fold(world(seen("job")), bare).service("job").state is ServiceState.STARTING
    earlier = world(seen("job"), answer("job", is_ok=True, run="r0"))
    assert fold(earlier, bare).service("job").state is ServiceState.STARTING
    found = world(seen("job"), answer("job", is_ok=True))
    assert fold(found, bare).service("job").state is ServiceState.HEALTHY


def test_a_one_shot_is_completed_and_lets_its_dependents_go_on() -> None:
    stack = plan(
        service("migrate", one_shot=True, check=None),
        service("web", depends_on=(ServiceName("migrate"),)),
    )
    running = fold(world(seen("migrate")), stack)
    assert running.service("migrate").state is ServiceState.STARTING
    view = world(seen("migrate", Phase.COMPLETED), seen("web"), answer("web", is_ok=True))
    assert fold(view, stack).state is StackState.RUNNING
    assert fold(view, stack).service("migrate").state is ServiceState.COMPLETED


def test_replicas_are_counted_and_the_culprit_is_named() -> None:
    stack = plan(service(ADMIN, replicas=3))
    view = world(
        seen(ADMIN),
        answer(ADMIN, is_ok=True),
        seen(ADMIN, replica=1),
        answer(ADMIN, is_ok=True, replica=1),
        seen(ADMIN, Phase.FAILED, replica=2, exit_code=1),
    )
    result = fold(view, stack).service(ADMIN)
    assert result.state is ServiceState.UNHEALTHY
    assert result.reason == ("2 of 3 healthy; instance 2: exited with code 1; not tried again")
    assert result.replicas_healthy == 2
    # The third will never come: nothing is waited for.
    assert (result.is_settled, result.is_good, result.has_failed) == (True, False, True)
    assert fold(view, stack).state is StackState.DEGRADED


def test_a_surplus_instance_is_shown_while_it_goes_and_does_not_count() -> None:
    view = world(
        seen(ADMIN), answer(ADMIN, is_ok=True), seen(ADMIN, Phase.STOPPING, replica=1, pid=5)
    )
    result = fold(view, plan(service(ADMIN))).service(ADMIN)
    assert result.state is ServiceState.HEALTHY
    assert [instance.index for instance in result.instances] == [0, 1]


def test_a_stack_is_starting_until_all_is_settled_for_the_first_time() -> None:
    view = world(seen(ADMIN), answer(ADMIN, is_ok=True), seen(LAUNCHER))
    assert fold(view).state is StackState.STARTING
    assert fold(view, has_settled=True).state is StackState.RUNNING


def test_a_first_start_of_which_a_part_takes_too_long_does_not_stay_starting_for_ever() -> None:
    boom, after, slow = ServiceName("boom"), ServiceName("after"), ServiceName("slow")
    web = ServiceName("web")
    stack = plan(
        service(ADMIN),
        service(boom),
        service(after, depends_on=(boom,)),
        service(slow),
        service(web, depends_on=(slow,)),
    )
    view = world(
        seen(ADMIN),
        answer(ADMIN, is_ok=True),
        seen(boom, Phase.FAILED, exit_code=3),
        seen(slow),
        answer(slow, is_ok=False, message="HTTP 404"),
    )
    assert fold(view, stack).state is StackState.STARTING
    late = fold(view, stack, now=NOW + 230)
    assert late.service(slow).state is ServiceState.UNHEALTHY
    assert late.service(after).state is ServiceState.FAILED
    assert late.service(web).state is ServiceState.WAITING
    assert late.state is StackState.DEGRADED


def test_a_stack_is_starting_while_something_is_on_its_way_beside_what_takes_too_long() -> None:
    slow = ServiceName("slow")
    view = world(
        seen(slow, started_at=NOW - 230), answer(slow, is_ok=False, message="HTTP 404"), seen(ADMIN)
    )
    assert fold(view, plan(service(ADMIN), service(slow))).state is StackState.STARTING


def test_a_stack_that_lost_something_is_degraded() -> None:
    view = world(seen(ADMIN), answer(ADMIN, is_ok=True), seen(LAUNCHER, Phase.BACKOFF, exit_code=1))
    lost = fold(view, has_settled=True, healthy_after_seconds={LAUNCHER: 1.0})
    assert lost.state is StackState.DEGRADED


def test_a_start_of_which_a_part_failed_is_degraded_and_one_of_which_all_failed_is_failed() -> None:
    good = (seen(ADMIN), answer(ADMIN, is_ok=True))
    partly = world(*good, seen(LAUNCHER, Phase.FAILED, exit_code=1))
    assert fold(partly).state is StackState.DEGRADED
    nothing = world(seen(ADMIN, Phase.FAILED, exit_code=1))
    assert fold(nothing).state is StackState.FAILED


def test_a_stopping_stack_says_so_and_waits_for_nobody() -> None:
    snapshot = fold(world(seen(ADMIN, Phase.STOPPING)), is_stopping=True)
    assert snapshot.state is StackState.STOPPING
    assert snapshot.service(ADMIN).state is ServiceState.STOPPING
    assert snapshot.service(LAUNCHER).state is ServiceState.STOPPED


@pytest.mark.parametrize(
    ("age", "note", "alarm"),
    [
        (0.02, "was killed by SIGKILL just now; restarted", True),
        (3.4, "was killed by SIGKILL 3 s ago; restarted", True),
        (9.9, "was killed by SIGKILL 9 s ago; restarted", True),
        (10.0, "earlier: was killed by SIGKILL", False),
    ],
)
def test_that_a_run_ended_is_news_for_a_while_though_the_next_is_healthy(
    age: float, note: str, *, alarm: bool
) -> None:
    view = world(seen(ADMIN, restarts=1), answer(ADMIN, is_ok=True))
    history: dict[str, Any] = {
        "last_errors": {ADMIN: "was killed by SIGKILL"},
        "setbacks": {ADMIN: Setback(at=NOW - age)},
    }
    result = fold(view, **history).service(ADMIN)
    assert (result.state, result.note, result.alarm) == (ServiceState.HEALTHY, note, alarm)


def test_while_it_starts_again_it_is_told_how_it_ended_and_not_that_nobody_answers_yet() -> None:
    view = world(
        seen(ADMIN, restarts=1, started_at=NOW - 0.3),
        answer(ADMIN, is_ok=False, message="connection refused"),
    )
    history: dict[str, Any] = {
        "last_errors": {ADMIN: "was killed by SIGKILL"},
        "setbacks": {ADMIN: Setback(at=NOW - 1.3)},
    }
    result = fold(view, **history).service(ADMIN)
    assert result.state is ServiceState.STARTING
    assert result.note == "was killed by SIGKILL 1 s ago; starting again"
    assert result.alarm


def test_of_several_instances_the_one_that_ended_is_named() -> None:
    two = plan(service(ADMIN, replicas=2))
    view = world(
        *(seen(ADMIN, replica=replica) for replica in range(2)),
        *(answer(ADMIN, is_ok=True, replica=replica) for replica in range(2)),
    )
    history: dict[str, Any] = {
        "last_errors": {ADMIN: "exited with code 3"},
        "setbacks": {ADMIN: Setback(at=NOW, instance=1)},
    }
    result = fold(view, two, **history).service(ADMIN)
    assert result.note == "instance 1 exited with code 3 just now; restarted"


def test_what_is_on_its_way_down_is_no_alarm() -> None:
    view = world(seen(ADMIN, Phase.STOPPING))
    history: dict[str, Any] = {
        "last_errors": {ADMIN: "was killed by SIGKILL"},
        "setbacks": {ADMIN: Setback(at=NOW)},
        "is_stopping": True,
    }
    result = fold(view, **history).service(ADMIN)
    assert (result.note, result.alarm) == ("", False)


def test_the_last_error_stays_when_it_is_healthy_again() -> None:
    view = world(seen(ADMIN), answer(ADMIN, is_ok=True))
    result = fold(view, last_errors={ADMIN: "was killed by SIGKILL"}).service(ADMIN)
    assert (result.state, result.last_error) == (ServiceState.HEALTHY, "was killed by SIGKILL")


def test_a_process_that_is_gone_uses_nothing() -> None:
    usage = UsageSample(key=InstanceKey(ADMIN, 0), at=NOW, memory_bytes=5, cpu_percent=3)
    assert fold(world(seen(ADMIN), usage)).memory_bytes == 5
    assert fold(world(seen(ADMIN, Phase.BACKOFF), usage)).memory_bytes is None


PHASES = st.sampled_from(Phase)
FACTS = st.lists(
    st.one_of(
        st.builds(
            lambda name, phase, replica: seen(name, phase, replica=replica),
            st.sampled_from([ADMIN, LAUNCHER]),
            PHASES,
            st.integers(0, 2),
        ),
        st.builds(
            lambda name, is_ok, run: answer(name, is_ok=is_ok, run=run, message="no"),
            st.sampled_from([ADMIN, LAUNCHER]),
            st.booleans(),
            st.sampled_from(["r1", "r2"]),
        ),
        st.builds(
            lambda name, is_suspended: UsageSample(
                key=InstanceKey(name, 0),
                at=NOW,
                memory_bytes=1,
                cpu_percent=1.0,
                is_suspended=is_suspended,
            ),
            st.sampled_from([ADMIN, LAUNCHER]),
            st.booleans(),
        ),
    ),
    unique_by=lambda fact: (type(fact), fact.key),
)


@given(FACTS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_in_which_facts_arrive_does_not_matter(
    facts: list[Any], random: Any, replicas: int
) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)
    stack = plan(service(ADMIN, replicas=replicas), service(LAUNCHER, depends_on=(ADMIN,)))
    components = [
        ComponentObservation(name=name, state=ComponentState.READY) for name in ("nomad", "consul")
    ]
    first = world(*facts, components={each.name: each for each in components})
    second = world(*shuffled, components={each.name: each for each in reversed(components)})
    assert fold(first, stack) == fold(second, stack)
    assert list(fold(first, stack).components) == list(fold(second, stack).components)


@given(FACTS)
def test_whatever_is_not_good_has_a_reason_or_has_just_begun(facts: list[Any]) -> None:
    for result in fold(world(*facts)).services:
        if result.state in {ServiceState.UNHEALTHY, ServiceState.FAILED}:
            assert result.reason
            assert "\n" not in result.reason


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_folds(phase: Phase) -> None:
    assert fold(world(seen(ADMIN, phase))).service(ADMIN).state in set(ServiceState)


def test_a_replica_count_of_zero_is_nothing_to_wait_for() -> None:
    stack = plan(replace(service(ADMIN), replicas=0), service(LAUNCHER, depends_on=(ADMIN,)))
    view = world(seen(LAUNCHER, Phase.WAITING))
    result = fold(view, stack)
    admin = result.service(ADMIN)
    assert (admin.state, admin.reason) == (ServiceState.STOPPED, "scaled to 0")
    assert admin.is_settled
    assert admin.is_good
    # Nor does who needs it wait.
    assert result.service(LAUNCHER).reason == ""
    assert (
        fold(world(seen(LAUNCHER), answer(LAUNCHER, is_ok=True)), stack).state is StackState.RUNNING
    )


def test_what_is_scaled_to_nothing_stops_until_its_last_instance_has_gone() -> None:
    stack = plan(replace(service(ADMIN), replicas=0))
    admin = fold(world(seen(ADMIN, Phase.STOPPING, pid=5)), stack).service(ADMIN)
    assert (admin.state, admin.is_settled) == (ServiceState.STOPPING, False)
    assert fold(world(seen(ADMIN, Phase.STOPPED)), stack).service(ADMIN).is_settled


def needing(condition: Condition, *, is_required: bool = True) -> StackPlan:
    need = Need(condition, is_required)
    return plan(service(ADMIN), service(LAUNCHER, depends_on=(ADMIN,), needs={ADMIN: need}))


def judge_dependent(stack: StackPlan, dependency: InstanceObservation) -> tuple[ServiceState, str]:
    waiting = seen(LAUNCHER, Phase.WAITING)
    world = WorldView(instances={each.key: each for each in (dependency, waiting)})
    folded = fold_snapshot(stack, world, NOW, StackHistory()).services[1]
    return folded.state, folded.reason


def test_what_needs_another_only_begun_does_not_wait_until_it_is_healthy() -> None:
    running, waiting = seen(ADMIN), seen(ADMIN, Phase.WAITING)
    said = (ServiceState.WAITING, "waits for prism-admin")
    assert judge_dependent(needing(Condition.STARTED), waiting) == said
    assert judge_dependent(needing(Condition.STARTED), running) == (ServiceState.WAITING, "")
    assert judge_dependent(needing(Condition.HEALTHY), running) == said


def test_a_service_that_failed_takes_with_it_only_who_cannot_do_without() -> None:
    never = seen(ADMIN, Phase.FAILED, message="no such program")
    ended = seen(ADMIN, Phase.FAILED, exit_code=1)
    hopeless = (ServiceState.FAILED, "prism-admin can never be ready: no such program")
    assert judge_dependent(needing(Condition.STARTED), never) == hopeless
    assert judge_dependent(needing(Condition.STARTED), ended) == (ServiceState.WAITING, "")
    assert judge_dependent(needing(Condition.HEALTHY), ended)[0] is ServiceState.FAILED
    for condition in (Condition.STARTED, Condition.HEALTHY):
        assert judge_dependent(needing(condition, is_required=False), never) == (
            ServiceState.WAITING,
            "",
        )
