"""Nomad was killed at three in the morning: every process is new, none of them has restarted, and somebody wonders why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prismctl.daemon.event_log import EventLog
from prismctl.daemon.monitor import Monitor
from prismctl.daemon.state_file import RememberedState, load_state, save_state
from prismctl.domain.comeback import Comeback, describe_comeback
from prismctl.domain.observation import ComponentObservation, ComponentState
from prismctl.domain.plan import EngineName, StackPlan
from prismctl.domain.service import StackName
from prismctl.domain.stack_history import StackHistory
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from prismctl.files.paths import StackPaths

ENDED = "Consul ended unexpectedly"


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    found = Home(tmp_path).stack("default")
    found.directory.mkdir(parents=True)
    return found


@pytest.fixture
async def monitor(paths: StackPaths) -> AsyncIterator[Monitor]:
    monitor = Monitor(paths, EventLog(paths.events))
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="minimal",
        services=(),
    )
    monitor.begin(plan, StackHistory())
    yield monitor
    monitor.close()


def lose_and_bring_back(monitor: Monitor, name: str, *, is_anew: bool) -> None:
    told = [
        ComponentObservation(name=name, state=ComponentState.READY, pid=1),
        ComponentObservation(name=name, state=ComponentState.LOST, message=ENDED),
        ComponentObservation(name=name, state=ComponentState.STARTING),
        ComponentObservation(name=name, state=ComponentState.READY, pid=2, is_anew=is_anew),
    ]
    for each in told:
        monitor.observe(each)


def lost_events(paths: StackPaths) -> list[str]:
    return [line for line in paths.events.read_text().splitlines() if '"component.lost"' in line]


async def test_after_nomad_was_killed_the_status_says_for_the_rest_of_the_start_why_all_is_new(
    monitor: Monitor,
) -> None:
    lose_and_bring_back(monitor, "nomad", is_anew=True)
    (note,) = monitor.refresh().notes
    assert note.startswith("everything was started anew: Nomad was lost at ")
    lose_and_bring_back(monitor, "nomad", is_anew=True)
    (note,) = monitor.refresh().notes
    assert note.endswith("; 2 times since the start")
    monitor.end()
    assert monitor.refresh().notes == ()


async def test_of_a_killed_consul_there_is_no_note_because_no_service_noticed(
    monitor: Monitor,
) -> None:
    lose_and_bring_back(monitor, "consul", is_anew=False)
    assert monitor.refresh().notes == ()


async def test_one_kill_of_consul_is_told_once(monitor: Monitor, paths: StackPaths) -> None:
    lose_and_bring_back(monitor, "consul", is_anew=False)
    assert len(lost_events(paths)) == 1


async def test_that_an_agent_that_was_lost_is_given_up_is_told_too(
    monitor: Monitor, paths: StackPaths
) -> None:
    for message in (ENDED, ENDED, "gave up bringing it back"):
        monitor.observe(
            ComponentObservation(name="consul", state=ComponentState.LOST, message=message)
        )
    assert len(lost_events(paths)) == 2
    assert "gave up" in lost_events(paths)[1]


def test_the_note_about_a_killed_nomad_outlives_the_daemon(paths: StackPaths) -> None:
    comebacks = {"nomad": Comeback(lost_at=5.0, seconds=1.25, times=3)}
    save_state(paths, RememberedState(history=StackHistory(comebacks=comebacks)))
    assert load_state(paths).history.comebacks == comebacks


def test_the_day_is_told_of_what_was_not_today() -> None:
    comeback = Comeback(lost_at=1_800_000_000.0, seconds=1.25)
    assert len(describe_comeback("nomad", comeback, 1_800_000_060.0)) < 80
    assert "-" not in describe_comeback("nomad", comeback, 1_800_000_060.0)
    assert "2027-01-1" in describe_comeback("nomad", comeback, 1_800_200_000.0)
