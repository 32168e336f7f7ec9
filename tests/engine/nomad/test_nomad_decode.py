from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prismctl.domain.needs import PLAIN_NEED
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.domain.plan import ServicePlan
from prismctl.domain.service import Runtime, ServiceName, ServiceType
from prismctl.engine.nomad.decode import (
    decode_allocations,
    decode_evaluations,
    decode_event_batch,
    decode_nodes,
    decode_time,
    describe_refusal,
)
from prismctl.engine.nomad.environment_files import Run, decode_run
from prismctl.engine.nomad.observe import fold_instance
from prismctl.engine.nomad.processes import ProcessId

REDIS = ServiceName("redis")
KEY = InstanceKey(REDIS, 0)


def make_allocation(**changes: Any) -> dict[str, Any]:
    return {
        "ID": "0149665f-aaaa",
        "JobID": "prism-stack",
        "TaskGroup": "redis",
        "CreateIndex": 10,
        "DesiredStatus": "run",
        "ClientStatus": "running",
        **changes,
    }


def make_task(*events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "redis": {
            "State": "running",
            "Failed": False,
            "Restarts": 0,
            "StartedAt": "2026-01-02T03:04:05.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Events": list(events),
            **changes,
        }
    }


def end(code: int = 0, number: int = 0) -> dict[str, Any]:
    return {"Type": "Terminated", "Time": 1_000_000_000, "ExitCode": code, "Signal": number}


def fold(*allocations: dict[str, Any], **options: Any) -> tuple[Phase, str]:
    seen = observe(*allocations, **options)
    return seen.phase, seen.message


def observe(
    *allocations: dict[str, Any],
    run: Run | None = None,
    is_alive: bool = False,
    **options: Any,
) -> InstanceObservation:
    service = ServicePlan(
        name=REDIS,
        type=ServiceType.BACKEND,
        source="",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        one_shot=options.pop("one_shot", False),
        depends_on=(ServiceName("below"),),
    )
    return fold_instance(
        KEY,
        service,
        allocations=decode_allocations(list(allocations)),
        run=run,
        is_run_alive=is_alive,
        **options,
    )


def make_run(doing: str, detail: str = "", allocation: str = "0149665f-aaaa") -> Run:
    return Run(process=ProcessId(41, 7), doing=doing, allocation=allocation, at=5.0, detail=detail)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_go_times_are_seconds(text: str | None, expected: float | None) -> None:
    assert decode_time(text) == expected


def test_an_allocation_is_read_with_its_tasks_past() -> None:
    data = make_allocation(TaskStates=make_task(end(137, 9), Restarts=2))
    task = decode_allocations([data])[0].tasks["redis"]
    assert task.restarts == 2
    assert task.last_end is not None
    assert (task.last_end.exit_code, task.last_end.exit_signal) == (None, 9)
    assert task.finished_at is None


def test_the_end_of_a_run_that_was_asked_for_is_no_exit_of_the_service() -> None:
    asked = {"Type": "Restart Signaled", "Time": 1_780_000_000_000_000_000}
    crashed = make_allocation(TaskStates=make_task(end(3)))
    restarted = make_allocation(TaskStates=make_task(end(3), asked, end(0)))
    assert decode_allocations([crashed])[0].tasks["redis"].last_end is not None
    assert decode_allocations([restarted])[0].tasks["redis"].last_end is None


def test_restarts_that_were_asked_for_are_not_counted_as_crashes() -> None:
    task = make_task(end(3), Restarts=5, State="dead", Failed=True)
    given_up = make_allocation(ClientStatus="failed", TaskStates=task)
    _, message = fold(given_up, asked_restarts={given_up["ID"]: 2}.__getitem__)
    assert message == "gave up after 3 restarts: exited with code 3"


def test_a_restart_that_is_decided_on_and_has_not_begun_is_none_yet() -> None:
    decided = {"Type": "Restarting", "Time": 2_000_000_000}
    ended = make_allocation(
        TaskStates=make_task(end(number=9), decided, Restarts=1, State="pending")
    )
    seen = observe(ended)
    assert (seen.phase, seen.restarts) == (Phase.BACKOFF, 0)
    begun = make_allocation(
        TaskStates=make_task(end(number=9), decided, {"Type": "Started", "Time": 3}, Restarts=1)
    )
    assert observe(begun, run=make_run("running"), is_alive=True).restarts == 1


def test_unknown_fields_and_missing_ones_are_fine() -> None:
    assert decode_allocations([make_allocation(New=1, TaskStates=None)])[0].tasks == {}
    assert decode_event_batch({}).index == 0
    assert decode_evaluations(None) == []


def test_a_node_is_ready_only_when_it_runs_commands() -> None:
    ready = {"ID": "1", "Status": "ready", "SchedulingEligibility": "eligible"}
    healthy = {"Drivers": {"raw_exec": {"Healthy": True}}}
    nodes = decode_nodes([ready, ready | healthy, {"ID": "3", "Status": "down"}])
    assert [(node.is_ready, node.has_raw_exec) for node in nodes] == [
        (True, False),
        (True, True),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (
            {"DimensionExhausted": {"network: reserved port collision db=6379": 1}},
            "port 6379 is taken by another service of Nomad",
        ),
        ({"DimensionExhausted": {"memory": 1}}, "not enough memory is left"),
        (
            {"ConstraintFiltered": {"${attr.consul.version} semver >= 1.8.0": 1}},
            "Nomad does not see Consul yet",
        ),
        ({"ConstraintFiltered": {"missing drivers": 1}}, "no node runs commands"),
        ({"NodesEvaluated": 0}, "no node is ready"),
        ({"NodesEvaluated": 1}, "no node can take it"),
    ],
)
def test_a_refused_placement_is_explained(metric: dict[str, Any], expected: str) -> None:
    assert expected in describe_refusal(metric)


def test_a_run_file_that_is_not_one_is_nothing() -> None:
    assert decode_run("") is None
    assert decode_run("pid=x\nticks=1\ndoing=running\nallocation=a\nat=1") is None
    run = decode_run("doing=waiting\npid=41\nticks=\nallocation=a\nat=1.5\ndetail=prism-admin")
    assert run is not None
    assert run.process == ProcessId(41, None)
    assert run.detail == "prism-admin"


def test_before_it_is_placed_an_instance_waits_and_says_for_what() -> None:
    assert fold() == (Phase.WAITING, "waits for Nomad to place it")
    assert fold(refusal="no room") == (Phase.WAITING, "no room")


def test_the_shim_knows_before_nomad_does() -> None:
    assert fold(run=make_run("running"), is_alive=True) == (Phase.RUNNING, "")
    waiting = fold(make_allocation(), run=make_run("waiting", "below"), is_alive=True)
    assert waiting == (Phase.WAITING, "waits for below in Consul")


def test_a_waiting_instance_fails_with_what_it_needs() -> None:
    seen = fold(
        make_allocation(),
        run=make_run("waiting", "below"),
        is_alive=True,
        hopeless={("below", PLAIN_NEED)},
    )
    assert seen == (Phase.FAILED, "below can never be ready")


def test_a_process_that_has_just_ended_is_not_running() -> None:
    seen = fold(make_allocation(TaskStates=make_task()), run=make_run("running"))
    assert seen == (Phase.BACKOFF, "")


def test_a_task_between_two_runs_says_how_the_last_one_ended() -> None:
    data = make_allocation(TaskStates=make_task(end(3), State="pending"))
    assert fold(data, run=make_run("running")) == (Phase.BACKOFF, "exited with code 3")


def test_a_task_that_nomad_gave_up_on_has_failed() -> None:
    task = make_task(end(0, 9), State="dead", Failed=True, Restarts=5)
    data = make_allocation(ClientStatus="failed", TaskStates=task)
    assert fold(data) == (Phase.FAILED, "gave up after 5 restarts: was killed by SIGKILL")


def test_a_failure_without_another_try_is_told_by_its_exit_code_as_on_any_engine() -> None:
    task = make_task(end(3), State="dead", Failed=True)
    failed = make_allocation(ClientStatus="failed", TaskStates=task)
    # The words are made of the exit code, where every engine's are.
    assert fold(failed, one_shot=True) == (Phase.FAILED, "")


def test_a_driver_failure_is_quoted() -> None:
    trouble = {"Type": "Driver Failure", "Time": 1, "DisplayMessage": "failed to exec"}
    task = make_task(trouble, State="dead", Failed=True)
    assert fold(make_allocation(ClientStatus="failed", TaskStates=task)) == (
        Phase.FAILED,
        "failed to exec",
    )


def test_a_finished_one_shot_is_completed_and_a_finished_service_stopped() -> None:
    data = make_allocation(ClientStatus="complete", TaskStates=make_task(end(), State="dead"))
    assert fold(data, one_shot=True) == (Phase.COMPLETED, "")
    assert fold(data) == (Phase.STOPPED, "")


def test_a_one_shot_that_has_just_ended_is_not_unhealthy_until_nomad_says_how() -> None:
    unaware = make_allocation(TaskStates=make_task())
    assert fold(unaware, run=make_run("running"), one_shot=True) == (Phase.RUNNING, "")
    # A service should not have ended at all, and one that could not be started has failed.
    assert fold(unaware, run=make_run("running"))[0] is Phase.BACKOFF
    assert fold(unaware, run=make_run("failed", "no such file"), one_shot=True) == (
        Phase.BACKOFF,
        "no such file",
    )


def test_a_one_shot_of_which_nomad_has_told_the_end_does_not_begin_again_by_itself() -> None:
    told = make_allocation(TaskStates=make_task(end(1)))
    ended = decode_allocations([told])[0].tasks["redis"].last_end
    assert ended is not None
    its_own = replace(make_run("running"), at=ended.at - 1)
    assert fold(told, run=its_own, one_shot=True)[0] is Phase.BACKOFF
    later = replace(make_run("running"), at=ended.at + 1)
    assert fold(told, run=later, one_shot=True)[0] is Phase.RUNNING


def test_what_shall_stop_is_stopping_until_it_has() -> None:
    data = make_allocation(DesiredStatus="stop")
    assert fold(data, run=make_run("running"), is_alive=True)[0] is Phase.STOPPING
    assert fold(data | {"ClientStatus": "complete"})[0] is Phase.STOPPED


def test_the_newest_wanted_allocation_counts() -> None:
    old = make_allocation(ID="old", DesiredStatus="stop", ClientStatus="complete", CreateIndex=99)
    new = make_allocation(TaskStates=make_task(State="pending"), ClientStatus="pending")
    assert fold(old, new) == (Phase.WAITING, "is being started by Nomad")


@pytest.mark.parametrize("state", ["pending", "running", "dead"])
def test_what_its_guard_refused_has_failed_whatever_nomad_still_tries(state: str) -> None:
    task = make_task(end(78), State=state, Failed=state == "dead", Restarts=2)
    data = make_allocation(ClientStatus="failed" if state == "dead" else "running", TaskStates=task)
    assert fold(data, run=make_run("running"), is_refused=True) == (Phase.FAILED, "")
    # Another placement has not been refused yet.
    placed = make_allocation(TaskStates=make_task(State="pending"), ClientStatus="pending")
    earlier = make_run("running", allocation="earlier")
    assert fold(placed, run=earlier, is_refused=True)[0] is Phase.WAITING
