"""What keys make of the dashboard, what they ask first, and how they can be given to other actions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prismctl.errors import ConfigError
from prismctl.present.text import Tone
from prismctl.tui.dashboard import arrivals
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.actions import ACTIONS, BY_ID, make_keymap
from prismctl.tui.dashboard.errands import _ERRANDS
from prismctl.tui.dashboard.feeds import Loss
from prismctl.tui.dashboard.keys import _SHOWING, press
from prismctl.tui.dashboard.moving import Reach
from prismctl.tui.dashboard.questions import ASKING, confirm, offer, type_in
from prismctl.tui.dashboard.state import DashboardState, Do, Focus, Pane
from tests.tui.stacks import BROKEN, HELD_UP, RUNNING

REACH = Reach()


def begin(document: dict[str, object] = RUNNING, **more: object) -> DashboardState:
    return arrivals.take_status(DashboardState(**more), document, 0.0)  # type: ignore[arg-type]


def pressed(state: DashboardState, *keys: str) -> tuple[DashboardState, list[Do]]:
    asked: list[Do] = []
    for key in keys:
        state, do = press(state, key, 1.0, REACH)
        asked += [do] if do is not None else []
    return state, asked


def test_every_action_is_carried_out_by_somebody() -> None:
    by_the_app = {"leave", "copy", "start-again", "failed", "card"}
    known = {*_SHOWING, *ASKING, *_ERRANDS, *by_the_app}
    assert {action.id for action in ACTIONS} == known


def test_no_two_actions_share_a_key() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_r_restarts_what_is_selected_at_once() -> None:
    assert pressed(begin(), "j", "j", "r")[1] == [Do("restart", "redis")]


def test_x_asks_first_and_n_does_nothing() -> None:
    state, asked = pressed(begin(), "X")
    assert not asked
    assert state.prompt is not None
    assert state.prompt.is_confirmation
    assert pressed(state, "n") == (replace(state, prompt=None, key_at=1.0), [])
    assert pressed(state, "y")[1] == [Do("stop-stack")]


@pytest.mark.parametrize("key", ["enter", "esc", "q", "n", "ctrl+c"])
def test_only_y_is_a_yes(key: str) -> None:
    state, asked = pressed(confirm(begin(), "stop-service", "stop it?", "redis"), key)
    assert not asked
    assert state.prompt is None


def test_other_keys_do_not_answer_a_question() -> None:
    state = confirm(begin(), "stop-service", "stop it?", "redis")
    after, asked = pressed(state, "r", "X", "space", "down")
    assert after.prompt == state.prompt
    assert not asked


def test_s_asks_for_a_number() -> None:
    state, asked = pressed(begin(), "s", "1", "backspace", "3", "enter")
    assert asked == [Do("scale", "prism-admin", "3")]
    assert state.prompt is None


def test_what_is_no_number_is_said() -> None:
    state, asked = pressed(begin(), "s", "x", "enter")
    assert not asked
    assert state.message is not None
    assert state.message.tone is Tone.BAD


def test_an_empty_number_does_nothing() -> None:
    state, asked = pressed(begin(), "s", "enter")
    assert not asked
    assert state.message is None


def test_l_hides_the_logs_and_shows_them_again() -> None:
    hidden, _ = pressed(begin(), "l")
    assert hidden.pane is Pane.NONE
    assert pressed(hidden, "l")[0].pane is Pane.LOGS


def test_l_goes_between_what_to_try_and_logs_of_one_that_failed() -> None:
    state = begin(BROKEN)
    assert state.shows_card
    logs, _ = pressed(state, "l")
    assert not logs.shows_card
    assert logs.pane is Pane.LOGS
    assert pressed(logs, "l")[0].shows_card


def test_f_says_that_all_is_well_and_that_there_is_no_other() -> None:
    well, _ = pressed(begin(), "f")
    assert well.message is not None
    assert well.message.words.startswith("all is well")
    alone, _ = pressed(begin(BROKEN), "f")
    assert alone.selected == "postgres"
    assert alone.message is not None
    assert "only postgres" in alone.message.words


def test_f_goes_from_one_that_never_ran_to_what_it_lacks_and_visits_those_to_blame() -> None:
    state = states.select(begin(HELD_UP), "api")
    visited = []
    for _ in range(3):
        state, _ = pressed(state, "f")
        visited.append(state.selected)
    assert visited == ["db", "slow", "db"]


def test_w_shows_what_one_that_waits_is_lacking() -> None:
    waiting = states.select(begin(BROKEN), "keyvalue-runner")
    assert not waiting.shows_card
    assert pressed(waiting, "w")[0].shows_card


def test_a_filter_holds_while_it_is_typed_and_esc_takes_it_away() -> None:
    state, _ = pressed(begin(), "/", "r", "e", "d")
    assert [each["name"] for each in state.shown] == ["redis"]
    assert state.selected == "redis"
    kept, _ = pressed(state, "enter")
    assert kept.filter == "red"
    assert pressed(kept, "esc")[0].filter == ""
    assert pressed(state, "esc")[0].filter == ""


def test_a_filter_while_the_logs_of_all_are_shown_was_one_of_services() -> None:
    state, _ = pressed(begin(), "L", "/", "w", "a", "enter")
    assert (state.filter, state.log_filter) == ("", "wa")
    back, _ = pressed(state, "esc")
    assert (back.pane, back.log_filter) == (Pane.ALL_LOGS, "")
    assert pressed(back, "esc")[0].pane is Pane.LOGS


def test_a_filter_in_the_logs_is_one_of_lines() -> None:
    state, _ = pressed(begin(), "enter", "/", "w", "a", "enter")
    assert state.focus is Focus.PANE
    assert (state.filter, state.log_filter) == ("", "wa")
    assert pressed(state, "esc")[0].log_filter == ""


def test_letters_that_are_typed_do_nothing_else() -> None:
    state, asked = pressed(begin(), "/", *"rsxqXk", "space")
    assert not asked
    assert state.filter == "rsxqXk "


def test_the_palette_finds_by_words_and_does_it() -> None:
    _, asked = pressed(begin(), ":", *"rest", "enter")
    assert asked == [Do("restart", "prism-admin")]
    state, _ = pressed(begin(), ":", *"what needs what", "enter")
    assert state.pane is Pane.GRAPH


def test_choices_are_gone_through_with_the_arrows() -> None:
    state = offer(begin(), "add", "add", {"kafka": "streams", "postgres": "tables"})
    assert pressed(state, "down", "enter")[1] == [Do("add", "", "postgres")]
    assert pressed(state, "t", "a", "b", "enter")[1] == [Do("add", "", "postgres")]
    assert pressed(state, "z", "z", "enter")[1] == []


def test_pasted_text_goes_into_a_question_and_nowhere_else() -> None:
    assert type_in(begin(), "X\nq") == begin()
    state, _ = pressed(begin(), "e")
    assert pressed(type_in(state, "redis-cli\nPING"), "enter")[1] == [
        Do("exec", "prism-admin", "redis-cli PING")
    ]


def test_a_read_only_dashboard_changes_nothing() -> None:
    for action in ACTIONS:
        state, asked = pressed(begin(is_read_only=True), *action.keys[:1])
        if action.changes:
            assert not asked, action.id
            assert state.prompt is None, action.id
            assert state.message is not None
            assert "read-only" in state.message.words or action.id == "start-again"


def test_a_stopped_stack_can_be_started_again_and_nothing_else() -> None:
    stopped = arrivals.lose(begin(), Loss("stopped", "", is_stopped=True), 1.0)
    assert pressed(stopped, "S")[1] == [Do("start-again", "prism-admin")]
    assert not pressed(stopped, "r")[1]
    assert not pressed(begin(), "S")[1]


def test_bad_news_goes_with_the_next_key() -> None:
    state = states.say(begin(), "no", 0.0, Tone.BAD)
    assert pressed(state, "down")[0].message is None


def test_escape_takes_back_one_thing_at_a_time() -> None:
    state, _ = pressed(begin(), "L", "enter", "/", "x", "enter")
    for expected in ((Pane.ALL_LOGS, ""), (Pane.LOGS, "")):
        state, _ = pressed(state, "esc")
        assert (state.pane, state.log_filter) == expected
    assert state.focus is Focus.SERVICES


def test_keys_can_be_given_to_other_actions() -> None:
    keymap = make_keymap({"restart": "R, f5", "leave": "Q"})
    assert keymap.find("R") is BY_ID["restart"]
    assert keymap.find("F5") is BY_ID["restart"]
    assert keymap.find("r") is None
    assert keymap.find("q") is None


def test_a_key_that_a_setting_takes_is_no_longer_what_it_was() -> None:
    keymap = make_keymap({"restart": "x"})
    assert keymap.find("x") is BY_ID["restart"]
    assert keymap.keys["stop-service"] == ()


def test_an_action_can_be_left_without_a_key() -> None:
    assert make_keymap({"stop-stack": "none"}).find("X") is None


def test_all_that_is_wrong_with_keys_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        make_keymap({"restrat": "r", "scale": "z", "add": "z"})
    words = [problem.message for problem in caught.value.problems]
    assert any("restrat" in each for each in words)
    assert any("`z` is given to both scale and add" in each for each in words)
    assert caught.value.problems[0].suggestion == "restart"
