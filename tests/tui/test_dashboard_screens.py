"""How every screen of the dashboard looks, in several sizes; and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prismctl.present.text import Tone, line_width, plain
from prismctl.tui.dashboard import arrivals, moving
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.actions import make_keymap
from prismctl.tui.dashboard.feeds import Loss
from prismctl.tui.dashboard.frame import compose_frame, texts_to_copy
from prismctl.tui.dashboard.keys import press
from prismctl.tui.dashboard.log_view import readable_text
from prismctl.tui.dashboard.moving import Reach
from prismctl.tui.dashboard.questions import confirm, offer
from prismctl.tui.dashboard.rows import render_rate, sparkline
from prismctl.tui.dashboard.state import DashboardState, Focus, Pane
from tests.tui.stacks import (
    ADMIN,
    BACK,
    BROKEN,
    HELD_UP,
    KILLED,
    OVER_IT,
    REDIS,
    RUNNING,
    SAID,
    STARTING,
    book,
    log,
    service,
    status,
)

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from prismctl.tui.dashboard.frame import Frame

SIZES = [(80, 24), (120, 40), (40, 12)]


def begin(document: dict[str, object] | None = RUNNING, **more: object) -> DashboardState:
    state = DashboardState(**more)  # type: ignore[arg-type]
    if document is None:
        return state
    for second in range(12):
        state = arrivals.take_status(state, document, float(second))
    return state


def keyed(state: DashboardState, *keys: str) -> DashboardState:
    for key in keys:
        state, _ = press(state, key, 20.0, Reach())
    return state


SCREENS: dict[str, DashboardState] = {
    "running": begin(),
    "starting": begin(STARTING),
    "failed": begin(BROKEN),
    "logs of one that failed": keyed(begin(BROKEN), "l"),
    "killed and back": begin(KILLED),
    "killed earlier, and asked about": keyed(states.select(begin(OVER_IT), "redis"), "w"),
    "all logs": keyed(begin(), "L"),
    "graph": keyed(begin(BROKEN), "d"),
    "keys": keyed(begin(), "?"),
    "palette": keyed(begin(), ":", "s"),
    "no logs": keyed(begin(), "l"),
    "opening": begin(None),
    "nobody answers at first": arrivals.lose(
        begin(None), Loss("the daemon is suspended (PID 7)", "`kill -CONT 7` lets it go on"), 1.0
    ),
    "stale": arrivals.lose(begin(), Loss("the daemon does not answer: it hung up", ""), 12.0),
    "stopped": arrivals.lose(begin(), Loss("it was stopped", "", is_stopped=True), 12.0),
    "nothing fits": keyed(begin(), "/", "z", "z"),
    "a question": confirm(
        begin(), "stop-service", "take redis, and what needs it: web, out of the stack?", "redis"
    ),
    "a choice": offer(begin(), "add", "add", {"kafka": "event streams", "postgres": "tables"}),
    "a number": keyed(begin(), "s", "3"),
    "bad news": states.say(begin(), "redis did not come back: exited with code 1", 20.0, Tone.BAD),
    "busy": replace(begin(), busy=("restarting redis",)),
    "read-only": begin(is_read_only=True),
    "no services": begin(status(state="starting")),
    "lost agent": begin(
        status(ADMIN, state="degraded", components={"nomad": "lost", "consul": "ready"})
    ),
}


def frame_of(state: DashboardState, size: tuple[int, int]) -> Frame:
    return compose_frame(state, book(*SAID), width=size[0], height=size[1], now=15.0)


def text_of(frame: Frame) -> str:
    return "\n".join(plain(each).rstrip() for each in frame.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", SCREENS)
def test_each_screen_fits_and_looks_as_it_did(
    name: str, size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    frame = frame_of(SCREENS[name], size)
    assert len(frame.lines) <= size[1]
    assert all(line_width(each) <= size[0] for each in frame.lines)
    assert text_of(frame) == snapshot


@pytest.mark.parametrize("name", SCREENS)
@settings(max_examples=25)
@given(width=st.integers(20, 250), height=st.integers(1, 80))
def test_no_size_breaks_a_screen(name: str, width: int, height: int) -> None:
    frame = frame_of(SCREENS[name], (width, height))
    assert len(frame.lines) <= height
    assert all(line_width(each) <= width for each in frame.lines)


def test_one_that_is_back_before_anybody_looked_is_red_and_says_what_it_said_before_it_ended() -> (
    None
):
    before = replace(log("out of ideas", "redis"), time="2026-01-02T03:00:06.499876543Z")
    after = replace(log("starting anew", "redis"), time="2026-01-02T03:00:06.512345678Z")
    state = begin(RUNNING)
    state = arrivals.take_status(state, KILLED, 30.0)
    frame = compose_frame(state, book(before, after), width=120, height=30, now=30.0)
    row = next(each for each in frame.lines if "redis" in plain(each) and "6379" in plain(each))
    assert [span.tone for span in row if span.text in {"! ", "healthy  "}] == [Tone.BAD, Tone.BAD]
    shown = text_of(frame)
    assert "was killed by SIGKILL" in plain(row)
    assert "● redis is healthy; was killed by SIGKILL 3 s ago; restarted" in shown
    assert "what needs it   ● web healthy" in shown
    assert "out of ideas" in shown
    assert "starting anew" not in shown


@pytest.mark.parametrize("size", [(120, 30), (80, 24), (60, 18), (40, 12)])
def test_one_that_is_back_cannot_be_told_from_the_others_without_colour(
    size: tuple[int, int],
) -> None:
    # Somebody is busy with another one, and what failed for good is what the second line is about.
    services = [*BROKEN["services"], *KILLED["services"][1:]]
    state = states.select(begin({**BROKEN, "services": services}), "redis")
    assert "▸ ! redis" in text_of(frame_of(state, size))
    later = [*BROKEN["services"], {**BACK, "alarm": False}]
    state = states.select(begin({**BROKEN, "services": later}), "redis")
    assert "▸ ● redis" in text_of(frame_of(state, size))


def test_that_the_disk_is_full_does_not_vanish_behind_a_service_that_failed() -> None:
    notes = ["the disk is full", "the keeper (PID 7) is suspended; `kill -CONT 7` lets it go on"]
    text = text_of(frame_of(begin({**BROKEN, "notes": notes}), (80, 24)))
    assert "postgres failed: exited 6 times" in text
    for note in notes:
        assert note in " ".join(text.split())


@pytest.mark.parametrize("width", [70, 80, 110])
def test_why_it_was_restarted_is_seen_on_a_narrow_screen_too(width: int) -> None:
    state = states.select(begin(), "redis")
    assert "earlier: killed by SIGKILL" in text_of(frame_of(state, (width, 24)))
    assert "earlier" not in text_of(frame_of(begin(), (80, 24))).partition("logs: ")[2]


def test_the_keys_that_matter_most_are_the_ones_that_are_shown() -> None:
    for width, keys in ((40, "r"), (80, "rslaxk"), (110, "rslaxknc/")):
        foot = text_of(frame_of(begin(), (width, 24))).splitlines()[-1].split()
        assert set(keys) <= set(foot), width
        assert {"?", "q"} <= set(foot)


def test_keys_of_agents_that_an_engine_has_not_are_not_among_those_that_are_shown() -> None:
    on_nomad, on_local = (
        text_of(frame_of(begin({**RUNNING, "engine": engine}), (160, 24))).splitlines()[-1]
        for engine in ("nomad", "local")
    )
    assert "n Nomad  c Consul" in on_nomad
    assert "Nomad" not in on_local
    assert "Consul" not in on_local


def test_of_many_lines_as_many_as_there_is_room_for_are_on_the_card_and_what_to_try_is_seen() -> (
    None
):
    said = [log(f"step {number}", "postgres", number) for number in range(40)]
    for height, lines in ((24, 8), (40, 20)):
        frame = compose_frame(begin(BROKEN), book(*said), width=100, height=height, now=0.0)
        shown = text_of(frame)
        assert shown.count("step ") >= lines, height
        assert "step 39" in shown
        assert (height < 40) or "prismctl dev restart postgres" in shown


def test_the_card_of_one_that_never_ran_sends_to_what_it_lacks() -> None:
    text = text_of(frame_of(states.select(begin(HELD_UP), "api"), (100, 24)))
    assert "f goes to db" in text
    assert "r tries it again" not in text
    assert "prismctl dev restart db" in text
    assert "prismctl dev restart api" not in text


def test_a_pane_without_a_line_of_room_does_not_say_that_nothing_was_printed() -> None:
    text = text_of(frame_of(begin(), (80, 9)))
    assert "nothing yet" not in text
    assert "? help" in text


def test_a_latency_of_a_fraction_of_a_millisecond_is_not_nought() -> None:
    fast = status({**REDIS, "latency_p95_seconds": 0.00002})
    assert "0.02 ms" in text_of(frame_of(begin(fast), (120, 24)))


def test_the_palette_shows_the_key_of_each_action_also_where_settings_gave_another() -> None:
    state = keyed(begin(keymap=make_keymap({"restart": "R"})), ":")
    rows = text_of(frame_of(state, (80, 40))).splitlines()
    row = next(each for each in rows if "its data stays" in each)
    assert " R " in row


def test_a_card_stays_under_the_eyes_of_who_reads_it_when_it_is_no_news_any_more() -> None:
    reading = keyed(states.select(begin(KILLED), "redis"), "tab")
    later = arrivals.take_status(reading, OVER_IT, 40.0)
    assert later.shows_card
    assert not arrivals.take_status(begin(KILLED), OVER_IT, 40.0).shows_card
    assert not keyed(later, "w").shows_card


def test_of_one_that_never_went_wrong_there_is_nothing_to_ask() -> None:
    asked = keyed(begin(status(ADMIN)), "w")
    assert not asked.shows_card
    assert asked.message is not None
    assert asked.message.words == "nothing went wrong with prism-admin"


REPORT = {
    "ready_seconds": 2.9,
    "usual_seconds": 2.6,
    "compared": 10,
    "parts": [
        {"name": "redis", "type": "service", "seconds": 2.1, "usual_seconds": 0.2, "slower": True},
        {"name": "nats", "type": "service", "seconds": 0.1, "usual_seconds": 0.1, "slower": False},
    ],
}


def test_what_a_start_took_is_told_as_long_as_it_is_news() -> None:
    fresh = replace(begin(status(ADMIN, uptime_seconds=20.0)), report=REPORT)
    words = "ready in 2.9 s, usually 2.6 s (10 starts before it); redis took 2.1 s instead of 0.2 s"
    assert words in text_of(frame_of(fresh, (120, 24)))
    old = replace(fresh, status=status(ADMIN, uptime_seconds=500.0))
    assert "ready in" not in text_of(frame_of(old, (120, 24)))


def test_the_selected_service_is_in_view_however_many_there_are() -> None:
    many = status(*(service(f"service-{number:03d}") for number in range(300)))
    state = begin(many)
    for by in (150, 100, -20, 999, -999):
        state = moving.move(state, by)
        frame = frame_of(state, (80, 24))
        assert state.selected in frame.services.values()
        assert f"▸ ● {state.selected}" in text_of(frame)


def test_the_list_stands_still_while_the_cursor_moves_in_it() -> None:
    many = status(*(service(f"service-{number:03d}") for number in range(300)))
    before = frame_of(begin(many), (80, 24))
    after = frame_of(moving.move(begin(many), 1), (80, 24))
    assert list(before.services.values()) == list(after.services.values())


def test_a_state_is_told_by_its_sign_and_its_word() -> None:
    text = text_of(frame_of(begin(BROKEN), (80, 24)))
    assert "✗ postgres" in text
    assert "failed" in text
    assert "○ keyvalue-runner" in text


def test_what_could_not_be_measured_is_a_dash_and_nought_is_nought() -> None:
    idle = {**ADMIN, "requests_per_second": 0.0}
    assert render_rate(idle) == "0 req/s"
    assert render_rate({**ADMIN, "requests_per_second": None}) == "–"  # noqa: RUF001 - the dash for "no value"


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.4, "0.4 ops/s"), (45.2, "45 ops/s"), (1234.0, "1.2k ops/s"), (123_456.0, "123k ops/s")],
)
def test_rates_have_their_unit(rate: float, words: str) -> None:
    assert render_rate({**REDIS, "requests_per_second": rate}) == words


def test_a_sparkline_has_gaps_where_nothing_was_measured() -> None:
    assert sparkline([1.0, None, 8.0]) == "▂ █"
    assert sparkline([None, None]) == ""
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_figures_that_get_longer_move_nothing() -> None:
    small = frame_of(begin(status({**ADMIN, "requests_per_second": 1.0})), (120, 24))
    large = frame_of(
        begin(status({**ADMIN, "requests_per_second": 99_999.0, "memory_bytes": 10**12})), (120, 24)
    )
    line = next(iter(small.services))
    assert plain(small.lines[line]).index("healthy") == plain(large.lines[line]).index("healthy")
    assert plain(small.lines[line]).rindex("0") == plain(large.lines[line]).rindex("0")


def test_logs_cannot_move_the_cursor_or_colour_the_screen() -> None:
    evil = log("\x1b[2J\x1b]0;title\x07 hello \u202e there \x08")
    frame = compose_frame(begin(), book(evil), width=80, height=24, now=0.0)
    assert not set(text_of(frame)) & {"\x1b", "\x07", "\u202e", "\x08"}
    assert "hello" in text_of(frame)


def test_a_line_of_a_megabyte_costs_no_more_than_what_is_seen_of_it() -> None:
    frame = compose_frame(begin(), book(log("x" * 1_000_000)), width=80, height=24, now=0.0)
    assert max(line_width(each) for each in frame.lines) == 80


def test_copying_takes_the_lines_as_they_are_without_what_is_around() -> None:
    state = begin()
    assert [each[9:] for each in texts_to_copy(state, book(*SAID), frame_of(state, (80, 24)))] == [
        "[INFO] serving on :8981",
        "[WARN] launcher is late",
        "[INFO] launcher registered",
    ]


def test_copying_in_the_logs_takes_the_line_under_the_cursor_as_a_whole() -> None:
    long = log("x" * 500, second=9)
    state = replace(begin(), focus=Focus.PANE)
    frame = compose_frame(state, book(*SAID, long), width=80, height=24, now=0.0)
    (text,) = texts_to_copy(state, book(*SAID, long), frame)
    assert text.endswith("x" * 500)


def test_lines_of_logs_that_fit_a_filter() -> None:
    state = replace(begin(), log_filter="launcher")
    text = text_of(frame_of(state, (80, 24)))
    assert "launcher is late" in text
    assert "serving" not in text


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("2026-01-02T03:04:05.678Z INFO  serving", "INFO  serving"),
        ("2026-01-02 03:04:05,678 WARN slow", "WARN slow"),
        ("2026-01-02 03:04:05.678 UTC [1] LOG:  ready", "[1] LOG:  ready"),
        ('{"level":"info","msg":"up","port":80}', "INFO up port=80"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("{ no json", "{ no json"),
        ("2026-01-02", "2026-01-02"),
    ],
)
def test_a_line_is_shown_as_somebody_reads_it(printed: str, shown: str) -> None:
    assert readable_text(printed) == shown


def test_replicas_are_told_apart_where_logs_are_merged() -> None:
    state = replace(begin(), pane=Pane.ALL_LOGS)
    logbook = book(log("one", "nats"), log("two", "nats", replica=1))
    text = text_of(compose_frame(state, logbook, width=80, height=24, now=0.0))
    assert "nats#1" in text
