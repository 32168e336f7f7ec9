"""Nomad counts restarts that were asked for together with those after a crash; here they are told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prismctl.domain.service import ServiceName
from prismctl.engine.nomad.asked_restarts import UNHEARD_SECONDS, AskedRestarts
from prismctl.engine.nomad.decode import Allocation, TaskEvent, TaskState

if TYPE_CHECKING:
    from pathlib import Path

NOW = 6.0
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


def test_a_restart_that_was_asked_for_is_none_of_the_services_doing(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(RUNNING, DB, 5.0)
    counts.take([ASKED], NOW)
    assert counts.of("a") == 1


def test_a_crash_after_a_restart_that_was_asked_for_counts(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(RUNNING, DB, 5.0)
    counts.take([ASKED], NOW)
    counts.take([CRASHED], NOW)
    assert 2 - counts.of("a") == 1


def test_tries_before_a_restart_that_nomad_tells_of_late_are_not_counted(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(placement(1, ("Terminated", 4.0)), DB, 5.0)
    counts.take([placement(3, ("Terminated", 4.0), ("Terminated", 4.9))], NOW)
    assert counts.of("a") == 3
    late = placement(
        4, ("Terminated", 4.9), ("Restart Signaled", 5.1), ("Terminated", 5.2), ("Started", 5.3)
    )
    counts.take([late], NOW)
    assert counts.of("a") == 4


def test_before_nomad_has_said_anything_what_it_counted_so_far_is_left_out(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(placement(3, ("Terminated", 4.0)), DB, 5.0)
    assert counts.of("a") == 3


def test_a_run_of_nomads_own_that_a_restart_overtook_does_not_end_the_wait_for_the_one_asked_for(
    tmp_path: Path,
) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(RUNNING, DB, 5.0)
    counts.take([placement(1, ("Started", 1.0), ("Terminated", 4.0), ("Started", 5.05))], NOW)
    counts.take(
        [
            placement(
                2,
                ("Started", 5.05),
                ("Restart Signaled", 5.1),
                ("Terminated", 5.2),
                ("Started", 5.3),
            )
        ],
        NOW,
    )
    assert counts.of("a") == 2


def test_a_restart_whose_events_were_already_replaced_by_later_ones_is_over(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(RUNNING, DB, 5.0)
    counts.take([placement(4, ("Terminated", 8.0), ("Started", 8.1))], NOW)
    counts.take([placement(5, ("Terminated", 9.0), ("Started", 9.1))], NOW)
    assert counts.of("a") == 4


def test_a_restart_of_a_task_nomad_has_not_told_of_yet_leaves_all_tries_before_it_out(
    tmp_path: Path,
) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    untold = replace(RUNNING, tasks={})
    counts.ask(untold, DB, 5.0)
    counts.take([untold], NOW)
    counts.take(
        [placement(3, ("Restart Signaled", 5.1), ("Terminated", 5.2), ("Started", 5.3))], NOW
    )
    assert counts.of("a") == 3


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(replace(RUNNING, tasks={"db": replace(RUNNING.tasks["db"], restarts=2)}), DB, 5.0)
    counts.take([], NOW)
    assert counts.of("a") == 0


def test_a_daemon_that_takes_over_does_not_count_restarts_that_were_asked_of_the_one_before(
    tmp_path: Path,
) -> None:
    counts = AskedRestarts(tmp_path / "asked.json")
    counts.ask(RUNNING, DB, 5.0)
    counts.take([ASKED], NOW)
    successor = AskedRestarts(tmp_path / "asked.json")
    successor.take([ASKED], NOW)
    assert successor.of("a") == 1


def test_a_daemon_killed_between_asking_and_the_new_run_leaves_the_wait_for_it_to_the_next_one(
    tmp_path: Path,
) -> None:
    AskedRestarts(tmp_path / "asked.json").ask(RUNNING, DB, 5.0)
    successor = AskedRestarts(tmp_path / "asked.json")
    successor.take([RUNNING], NOW)
    assert successor.of("a") == 0
    successor.take([ASKED], NOW)
    assert successor.of("a") == 1


def test_a_restart_that_never_reached_nomad_hides_no_crash_for_ever(tmp_path: Path) -> None:
    AskedRestarts(tmp_path / "asked.json").ask(RUNNING, DB, 5.0)
    successor = AskedRestarts(tmp_path / "asked.json")
    crashed = placement(1, ("Started", 1.0), ("Terminated", 70.0), ("Started", 70.1))
    successor.take([crashed], 5.0 + UNHEARD_SECONDS + 10.0)
    assert successor.of("a") == 0
    assert AskedRestarts(tmp_path / "asked.json").of("a") == 0


def test_a_file_that_nobody_can_read_is_like_none(tmp_path: Path) -> None:
    (tmp_path / "asked.json").write_text('{"uncounted": []')
    assert AskedRestarts(tmp_path / "asked.json").of("a") == 0
