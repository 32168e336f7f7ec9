from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.keeper import life as lives
from prismctl.keeper.life import (
    LEFTOVER_GRACE_SECONDS,
    MAX_KILLS,
    Emit,
    Ending,
    Kill,
    Life,
    Moment,
    Phase,
    ReportStuck,
    Signal,
    Start,
)
from prismctl.keeper.protocol import (
    KeeperEvent,
    ProcessSpec,
    ProcessState,
    RestartPolicy,
    StopStep,
    spec_from_json,
    spec_to_json,
    status_from_json,
    status_to_json,
)
from prismctl.keeper.restart import count_failures, restart_delay_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = (StopStep(signal=2, grace_seconds=3.0), StopStep(signal=15, grace_seconds=4.0))
SPEC = ProcessSpec(
    key="a", argv=("a",), env={}, cwd="/", log_path="/log", stop=STEPS, restart=RestartPolicy()
)
CRASH = Ending(exit_code=1)


def at(seconds: float) -> Moment:
    return Moment(1000.0 + seconds, seconds)


def running(since: float = 0.0, *, failures: int = 0, restarts: int = 0) -> Life:
    life = Life(failures=failures, restarts=restarts)
    life, _ = lives.forked(life, pid=7, start_ticks=70, now=at(since))
    return life


def test_delays_between_restarts_double_up_to_a_limit() -> None:
    policy = RestartPolicy(max_restarts=9)
    delays = [restart_delay_seconds(policy, failures=number) for number in range(1, 11)]
    assert delays == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, None]
    assert restart_delay_seconds(RestartPolicy(max_restarts=10**6), failures=10**6) == 10.0


def test_a_long_run_clears_the_count() -> None:
    policy = RestartPolicy(reset_after_seconds=10.0)
    assert count_failures(policy, failures=4, run_seconds=9.9) == 5
    assert count_failures(policy, failures=4, run_seconds=10.0) == 1


def test_the_first_crash_restarts_at_once_and_the_next_waits() -> None:
    life, effects = lives.main_exited(running(), SPEC, CRASH, at(1), has_leftovers=False)
    assert effects == (Emit(KeeperEvent.EXITED), Start())
    life = running(1, failures=life.failures, restarts=life.restarts)
    life, effects = lives.main_exited(life, SPEC, CRASH, at(2), has_leftovers=False)
    assert effects == (Emit(KeeperEvent.EXITED), Emit(KeeperEvent.BACKOFF))
    assert (life.phase, life.deadline, life.restarts) == (Phase.BACKOFF, 2.25, 1)
    life, effects = lives.deadline_passed(life, SPEC, at(2.25))
    assert (effects, life.restarts) == ((Start(),), 2)


def test_a_crash_loop_fails_after_its_restarts() -> None:
    life, effects = lives.main_exited(
        running(failures=5, restarts=5), SPEC, CRASH, at(1), has_leftovers=False
    )
    assert effects == (Emit(KeeperEvent.EXITED), Emit(KeeperEvent.FAILED))
    assert (life.phase, life.restarts, life.deadline) == (Phase.FAILED, 5, None)


def test_a_permanent_error_is_not_tried_again_and_a_passing_one_is() -> None:
    ending = Ending(error="no such file", is_permanent=True)
    life, effects = lives.main_exited(running(), SPEC, ending, at(0), has_leftovers=False)
    assert (life.phase, effects) == (Phase.FAILED, (Emit(KeeperEvent.FAILED),))
    life, effects = lives.start_failed(Life(), SPEC, Ending(error="no memory"), at(0))
    assert (life.phase, effects) == (Phase.BACKOFF, (Start(),))


def test_leftovers_of_a_crash_are_ended_before_the_next_run() -> None:
    life, effects = lives.main_exited(running(), SPEC, CRASH, at(1), has_leftovers=True)
    assert effects == (Emit(KeeperEvent.EXITED), Signal(signal.SIGTERM, whole_tree=True))
    assert life.status(SPEC, lost_log_lines=0).state is ProcessState.BACKOFF
    assert life.deadline == 1 + LEFTOVER_GRACE_SECONDS
    life, effects = lives.deadline_passed(life, SPEC, at(2))
    assert effects == (Kill(),)
    life, effects = lives.leftovers_seen(life)
    assert effects == (Kill(),)
    life, effects = lives.tree_gone(life, at(3))
    assert (life.phase, effects) == (Phase.BACKOFF, (Start(),))


def test_leftovers_of_a_completed_one_shot_are_ended_before_it_counts_as_completed() -> None:
    spec = SPEC._replace(one_shot=True)
    life, _ = lives.main_exited(running(), spec, Ending(exit_code=0), at(1), has_leftovers=True)
    assert life.status(spec, lost_log_lines=0).state is ProcessState.STOPPING
    life, effects = lives.tree_gone(life, at(2))
    assert (life.phase, effects) == (Phase.COMPLETED, (Emit(KeeperEvent.COMPLETED),))


def stop_effects(life: Life) -> Iterator[tuple[object, ...]]:
    life, effects = lives.stop_requested(life, SPEC, at(0), kill=False)
    yield effects
    while life.deadline is not None:
        life, effects = lives.deadline_passed(life, SPEC, at(life.deadline))
        yield effects


def test_a_stop_goes_through_its_steps_kills_and_finally_says_what_is_stuck() -> None:
    first, second, *rest = stop_effects(running())
    assert first == (Emit(KeeperEvent.STOPPING), Signal(2, whole_tree=True))
    assert second == (Signal(15, whole_tree=True),)
    assert rest == [(Kill(),)] * MAX_KILLS + [(ReportStuck(),)]


def test_stopping_is_idempotent() -> None:
    life, _ = lives.stop_requested(running(), SPEC, at(0), kill=False)
    assert lives.stop_requested(life, SPEC, at(1), kill=False) == (life, ())


def test_after_the_main_process_is_gone_leftovers_have_little_time() -> None:
    life, _ = lives.stop_requested(running(), SPEC, at(0), kill=False)
    life, effects = lives.main_exited(life, SPEC, Ending(signal=2), at(0.5), has_leftovers=True)
    assert (life.phase, life.deadline, effects) == (Phase.STOPPING, 1.5, ())
    life, effects = lives.deadline_passed(life, SPEC, at(1.5))
    assert (life.deadline, effects) == (2.5, (Signal(15, whole_tree=True),))
    life, effects = lives.tree_gone(life, at(2))
    assert (life.phase, effects) == (Phase.STOPPED, (Emit(KeeperEvent.STOPPED),))


def test_a_program_without_stop_steps_is_killed() -> None:
    _, effects = lives.stop_requested(running(), SPEC._replace(stop=()), at(0), kill=False)
    assert effects == (Emit(KeeperEvent.STOPPING), Kill())


def test_what_was_given_up_as_unkillable_gets_another_try_when_somebody_asks() -> None:
    life, _ = lives.stop_requested(running(), SPEC, at(0), kill=True)
    while life.deadline is not None:
        life, _ = lives.deadline_passed(life, SPEC, at(life.deadline))
    life, effects = lives.stop_requested(life, SPEC, at(100), kill=False)
    assert (effects, life.kills) == ((Kill(),), 1)


def test_a_restart_is_no_crash() -> None:
    life, _ = lives.restart_requested(running(failures=3), SPEC, at(0))
    life, effects = lives.main_exited(life, SPEC, Ending(signal=2), at(1), has_leftovers=False)
    assert (effects, life.restarts, life.failures) == ((Start(),), 0, 0)


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.COMPLETED, Phase.FAILED])
def test_stopping_what_ended_changes_nothing(phase: Phase) -> None:
    life = Life(phase=phase)
    assert lives.stop_requested(life, SPEC, at(0), kill=True) == (life, ())


def test_specs_and_statuses_survive_the_wire() -> None:
    spec = SPEC._replace(env={"A": "ü"}, one_shot=True, digest="d")
    wire = spec_to_json(spec)
    wire["argv"] = list(wire["argv"])
    assert spec_from_json(wire) == spec
    status = running().status(spec, lost_log_lines=3)
    assert status_from_json({**status_to_json(status), "novelty": 1}) == status


def test_a_restart_that_was_asked_for_begins_to_count_anew_wherever_the_process_is() -> None:
    life, _ = lives.restart_requested(running(0, failures=4, restarts=4), SPEC, at(1))
    life, effects = lives.main_exited(life, SPEC, CRASH, at(2), has_leftovers=False)
    assert (effects, life.restarts, life.failures) == ((Start(),), 0, 0)

    crashed, _ = lives.main_exited(
        running(0, failures=4, restarts=4), SPEC, CRASH, at(1), has_leftovers=False
    )
    assert crashed.phase is Phase.BACKOFF
    life, effects = lives.restart_requested(crashed, SPEC, at(2))
    assert (effects, life.restarts, life.failures) == ((Start(),), 0, 0)
