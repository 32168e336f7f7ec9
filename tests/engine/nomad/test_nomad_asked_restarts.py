"""Nomad counts restarts that were asked for together with those after a crash; here they are told apart."""

from __future__ import annotations

from dataclasses import replace

from prismctl.domain.service import ServiceName
from prismctl.engine.nomad.asked_restarts import AskedRestarts
from prismctl.engine.nomad.decode import Allocation, TaskEvent, TaskState

DB = ServiceName("db")


def placement(restarts: int, *events: tuple[str, float]) -> Allocation:
    task = TaskState(
        restarts=restarts, events=tuple(TaskEvent(type=kind, at=at) for kind, at in events)
    )
    return Allocation(
        id="a",
        job="db",
        group="db",
        create_index=1,
        desired="run",
        status="running",
        tasks={"db": task},
    )


RUNNING = placement(0, ("Started", 1.0))
ASKED = placement(
    1, ("Started", 1.0), ("Restart Signaled", 5.1), ("Terminated", 5.2), ("Started", 5.3)
)
CRASHED = placement(
    2,
    *((event.type, event.at) for event in ASKED.tasks["db"].events),
    ("Terminated", 6.0),
    ("Started", 6.1),
)


def test_a_restart_that_was_asked_for_is_none_of_the_services_doing() -> None:
    counts = AskedRestarts()
    counts.ask(RUNNING, DB, 5.0)
    counts.take([ASKED])
    assert counts.of("a") == 1


def test_a_crash_after_a_restart_that_was_asked_for_counts() -> None:
    counts = AskedRestarts()
    counts.ask(RUNNING, DB, 5.0)
    counts.take([ASKED])
    counts.take([CRASHED])
    assert 2 - counts.of("a") == 1


def test_tries_before_a_restart_that_nomad_tells_of_late_are_not_counted() -> None:
    counts = AskedRestarts()
    counts.ask(placement(1, ("Terminated", 4.0)), DB, 5.0)
    counts.take([placement(3, ("Terminated", 4.0), ("Terminated", 4.9))])
    assert counts.of("a") == 3
    late = placement(
        4, ("Terminated", 4.9), ("Restart Signaled", 5.1), ("Terminated", 5.2), ("Started", 5.3)
    )
    counts.take([late])
    assert counts.of("a") == 4


def test_before_nomad_has_said_anything_what_it_counted_so_far_is_left_out() -> None:
    counts = AskedRestarts()
    counts.ask(placement(3, ("Terminated", 4.0)), DB, 5.0)
    assert counts.of("a") == 3


def test_a_run_of_nomads_own_that_a_restart_overtook_does_not_end_the_wait_for_the_one_asked_for() -> (
    None
):
    counts = AskedRestarts()
    counts.ask(RUNNING, DB, 5.0)
    counts.take([placement(1, ("Started", 1.0), ("Terminated", 4.0), ("Started", 5.05))])
    counts.take(
        [
            placement(
                2,
                ("Started", 5.05),
                ("Restart Signaled", 5.1),
                ("Terminated", 5.2),
                ("Started", 5.3),
            )
        ]
    )
    assert counts.of("a") == 2


def test_a_restart_whose_events_were_already_replaced_by_later_ones_is_over() -> None:
    counts = AskedRestarts()
    counts.ask(RUNNING, DB, 5.0)
    counts.take([placement(4, ("Terminated", 8.0), ("Started", 8.1))])
    counts.take([placement(5, ("Terminated", 9.0), ("Started", 9.1))])
    assert counts.of("a") == 4


def test_a_restart_of_a_task_nomad_has_not_told_of_yet_leaves_all_tries_before_it_out() -> None:
    counts = AskedRestarts()
    untold = replace(RUNNING, tasks={})
    counts.ask(untold, DB, 5.0)
    counts.take([untold])
    counts.take([placement(3, ("Restart Signaled", 5.1), ("Terminated", 5.2), ("Started", 5.3))])
    assert counts.of("a") == 3


def test_what_is_gone_is_forgotten() -> None:
    counts = AskedRestarts()
    counts.ask(replace(RUNNING, tasks={"db": replace(RUNNING.tasks["db"], restarts=2)}), DB, 5.0)
    counts.take([])
    assert counts.of("a") == 0
