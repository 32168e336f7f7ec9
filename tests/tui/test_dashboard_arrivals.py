"""What documents and lost connections make of the dashboard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from prismctl.tui.dashboard import arrivals
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.feeds import Loss
from prismctl.tui.dashboard.state import DashboardState, Focus, Link, Pane
from tests.tui.stacks import ADMIN, BROKEN, FAILED, LAUNCHER, REDIS, RUNNING, service, status

LATER = 100.0


def shown(document: dict[str, object], now: float = 0.0) -> DashboardState:
    return arrivals.take_status(DashboardState(), document, now)


def test_the_first_document_puts_the_cursor_on_the_first_service() -> None:
    assert shown(RUNNING).selected == "prism-admin"
    assert shown(RUNNING).link is Link.LIVE


def test_a_stack_that_is_not_well_at_first_sight_puts_it_on_what_failed() -> None:
    assert shown(BROKEN).selected == "postgres"
    assert shown(BROKEN).shows_card


def test_the_cursor_goes_to_what_fails_while_nobody_is_busy() -> None:
    before = shown(status(ADMIN, REDIS))
    after = arrivals.take_status(before, status(ADMIN, {**REDIS, "state": "failed"}), LATER)
    assert after.selected == "redis"
    assert after.shows_card


@pytest.mark.parametrize(
    "busy",
    [
        {"key_at": LATER - 1},
        {"focus": Focus.PANE},
        {"pane": Pane.HELP},
        {"prompt": states.Prompt(action="scale", question="?")},
    ],
    ids=["a key a moment ago", "in the logs", "reading the help", "asked something"],
)
def test_the_cursor_stays_where_somebody_is_busy(busy: dict[str, Any]) -> None:
    before = replace(shown(status(ADMIN, REDIS)), **busy)
    after = arrivals.take_status(before, status(ADMIN, {**REDIS, "state": "failed"}), LATER)
    assert after.selected == "prism-admin"


def test_a_service_that_failed_before_moves_nothing_again() -> None:
    before = states.select(shown(BROKEN), "prism-admin")
    assert arrivals.take_status(before, BROKEN, LATER).selected == "prism-admin"


def test_the_cursor_of_a_service_that_is_gone_goes_to_the_first() -> None:
    before = states.select(shown(RUNNING), "nats")
    assert arrivals.take_status(before, status(ADMIN), LATER).selected == "prism-admin"


def test_one_that_crashed_and_comes_up_again_is_told_of_until_it_is_well() -> None:
    crashed = service("redis", "starting", last_error="killed by SIGKILL", restarts=1)
    state = arrivals.take_status(shown(status(REDIS)), status(crashed), LATER)
    assert state.shows_card
    assert not arrivals.take_status(state, status(REDIS), LATER).shows_card


def test_one_that_starts_for_the_first_time_is_no_failure() -> None:
    assert not shown(status(service("redis", "starting", reason="connection refused"))).shows_card


def test_a_lost_daemon_leaves_what_was_and_says_stale() -> None:
    state = arrivals.lose(shown(RUNNING), Loss("it hung up", ""), 3.0)
    assert state.link is Link.STALE
    assert state.status is RUNNING
    again = arrivals.take_status(state, RUNNING, 4.0)
    assert again.link is Link.LIVE
    assert again.message is not None
    assert again.message.words == "connected again"


def test_a_stack_that_was_stopped_is_not_stale() -> None:
    state = arrivals.lose(shown(RUNNING), Loss("it was stopped", "", is_stopped=True), 3.0)
    assert state.link is Link.STOPPED


def test_rates_are_kept_for_the_sparkline_and_gaps_with_them() -> None:
    state = shown(status(ADMIN))
    for second in range(1, 100):
        rate = None if second == 99 else float(second)
        document = status({**ADMIN, "requests_per_second": rate})
        state = arrivals.take_status(state, document, float(second))
    history = state.history["prism-admin"]
    assert len(history) == arrivals.HISTORY_POINTS
    assert history[-2:] == (98.0, None)


def test_documents_that_follow_each_other_fast_are_one_measurement() -> None:
    state = shown(status(ADMIN))
    for step in range(50):
        state = arrivals.take_status(state, status(ADMIN), step * 0.01)
    assert len(state.history["prism-admin"]) == 1


def test_what_was_measured_before_comes_first() -> None:
    measured = {"services": {"prism-admin": {"requests_per_second": [1.0, None, 3.0]}}}
    state = arrivals.take_history(shown(status(ADMIN)), measured)
    assert state.history["prism-admin"] == (1.0, None, 3.0, 45.0)


def test_failures_of_two_at_once_go_to_the_one_that_failed_by_itself() -> None:
    waiting = {**LAUNCHER, "state": "waiting", "last_error": "lost prism-admin"}
    assert shown(status(waiting, FAILED)).selected == "postgres"
