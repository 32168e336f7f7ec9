"""Where the arrows and the wheel lead."""

from __future__ import annotations

from dataclasses import replace

from prismctl.tui.dashboard import arrivals, moving
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.moving import Reach
from prismctl.tui.dashboard.state import DashboardState, Focus, Scroll
from tests.tui.stacks import BROKEN, RUNNING


def shown(document: dict[str, object], now: float = 0.0) -> DashboardState:
    return arrivals.take_status(DashboardState(), document, now)


def test_moving_stops_at_the_ends() -> None:
    state = shown(RUNNING)
    assert moving.move(state, -1).selected == "prism-admin"
    assert moving.move(state, 2).selected == "redis"
    assert moving.move(state, 99).selected == "nats"


def test_a_filter_holds_for_moving() -> None:
    state = replace(shown(RUNNING), filter="s")
    assert [each["name"] for each in state.shown] == ["prism-admin", "redis", "nats"]
    assert moving.move(state, 1).selected == "redis"


def test_the_next_that_is_not_well_comes_round() -> None:
    state = shown(BROKEN)
    assert moving.next_ill(state) == "postgres"
    assert moving.next_ill(states.select(state, "prism-admin")) == "postgres"
    assert moving.next_ill(shown(RUNNING)) == ""


REACH = Reach(page=9, height=10, first=100, end=200)


def test_going_up_in_a_log_stops_following_and_the_end_follows_again() -> None:
    state = replace(shown(RUNNING), focus=Focus.PANE)
    up = moving.scroll(state, -1, REACH)
    assert up.scroll == Scroll(line=198, top=190)
    assert moving.scroll(up, 1, REACH).scroll == Scroll()


def test_the_cursor_stays_in_view_wherever_it_goes() -> None:
    state = replace(shown(RUNNING), focus=Focus.PANE)
    for by in (-1, -5, -20, -1000, 3, 40, -7):
        state = moving.scroll(state, by, REACH)
        assert state.scroll.line is not None
        assert state.scroll.top <= state.scroll.line < state.scroll.top + REACH.height
        assert REACH.first <= state.scroll.top <= REACH.end - REACH.height


def test_lines_that_come_do_not_move_what_somebody_reads() -> None:
    state = moving.scroll(shown(RUNNING), -50, REACH)
    grown = replace(REACH, end=10_000)
    assert moving.scroll(state, 0, grown).scroll == state.scroll


def test_the_wheel_rolls_and_follows_again_at_the_end() -> None:
    up = moving.roll(shown(RUNNING), -3, REACH)
    assert up.scroll.top == 187
    assert moving.roll(up, 3, REACH).scroll == Scroll()


def test_a_card_is_read_from_its_top() -> None:
    state = shown(BROKEN)
    reach = Reach(height=5, first=0, end=20)
    assert moving.roll(state, 3, reach).scroll.top == 3
    assert moving.roll(moving.roll(state, 99, reach), -99, reach).scroll.top == 0
