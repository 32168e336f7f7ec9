"""The dashboard on a screen: what keys and the mouse do, what comes, and how often it is drawn."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from textual.events import MouseScrollDown, MouseScrollUp, Paste

from prismctl.errors import PrismError, RejectedError
from prismctl.present.question import Choice
from prismctl.present.text import Tone, line
from prismctl.tui.dashboard.app import DashboardApp, Ending
from prismctl.tui.dashboard.doing import Doing, Foreground, KeyQuestion, Question, ToOpen
from prismctl.tui.dashboard.feeds import WAITING_LINES, Loss
from prismctl.tui.dashboard.frame import changed_lines
from prismctl.tui.dashboard.logbook import LINES_OF_ONE, decode_line
from prismctl.tui.dashboard.state import DashboardState, Do, Link, Pane, forget_message
from prismctl.tui.dashboard.theme_names import THEME_NAMES
from prismctl.tui.dashboard.themes import THEMES, choose_theme, draw_line
from tests.tui.stacks import ADMIN, BROKEN, REDIS, RUNNING, SAID, log, service, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot


@dataclass
class Hands:
    """Takes what is asked for in place of a stack."""

    done: list[tuple[object, ...]] = field(default_factory=list)
    refusal: PrismError | None = None
    holder: Question | None = None
    in_the_way: KeyQuestion | None = None
    address: ToOpen | None = None
    may_end: threading.Event = field(default_factory=threading.Event)
    waits: bool = False

    def do(self, *words: object) -> str:
        if self.waits:
            assert self.may_end.wait(20)
        if self.refusal is not None:
            raise self.refusal
        self.done.append(words)
        return f"did {' '.join(map(str, words))}"

    def add(self, name: str, answer: str) -> str | KeyQuestion:
        asked, self.in_the_way = self.in_the_way, None
        if asked is not None and self.waits:
            assert self.may_end.wait(20)
        return asked or self.do("add", name, *answer)

    def doing(self) -> Doing:
        def act(name: str) -> Callable[..., str]:
            return lambda *words: self.do(name, *words)

        return Doing(
            restart=act("restart"),
            scale=act("scale"),
            ask_to_stop=lambda name: Question(
                f"take {name}, and what needs it: web, out of the stack?"
            ),
            stop_service=act("stop"),
            list_addable=lambda: {"kafka": "event streams", "postgres": "tables"},
            add=self.add,
            open_ui=lambda name: self.address or self.do("open", name),
            ask_to_end_holder=lambda _: self.holder,
            end_holder=act("end"),
            stop_stack=act("stop-stack"),
            run_beside=lambda name, command: Foreground(("true",), {}, above=f"{name} {command}"),
            open_logs=lambda name, where: Foreground(("true", name, where), {}),
        )


def make_app(
    document: dict[str, object] | None = RUNNING,
    hands: Hands | None = None,
    *,
    theme: str = "",
    has_colour: bool = True,
    **more: object,
) -> DashboardApp:
    app = DashboardApp(
        DashboardState(**more),  # type: ignore[arg-type]
        (hands or Hands()).doing(),
        theme=choose_theme(theme, has_colour=has_colour),
        driver_class=None,
    )
    if document is not None:
        app.mailbox.put_status(document)
        app.mailbox.put_lines(SAID)
        app.mailbox.put_end_of_history()
    return app


async def settle(pilot: Pilot[Ending]) -> None:
    """Until nothing is drawn or done any more."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause(0.05)
    await pilot.pause()


def text_of(app: DashboardApp) -> str:
    """What is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
async def test_what_is_on_the_screen_is_the_frame(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        frame = ["".join(span.text for span in each).rstrip() for each in app.canvas.frame.lines]
        assert text_of(app).splitlines() == "\n".join(frame).splitlines()
        assert "prism-admin" in text_of(app)


async def test_q_leaves_and_the_stack_runs_on() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("q")
    assert app.return_value is Ending.LEFT
    assert not hands.done


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_keys_that_end_programs_leave(key: str) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(key)
    assert app.return_value is Ending.LEFT


async def test_r_restarts_and_says_so() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("j", "r")
        await settle(pilot)
        assert hands.done == [("restart", "pattern-launcher")]
        assert "did restart pattern-launcher" in text_of(app)


async def test_while_something_takes_long_it_is_said_and_keys_are_answered() -> None:
    hands = Hands(waits=True)
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle_screen(pilot)
        await pilot.press("r", "r", "j", "j")
        assert "restarting prism-admin…" in text_of(app)
        assert app.state.selected == "redis"
        hands.may_end.set()
        await settle(pilot)
        assert hands.done == [("restart", "prism-admin")], "the same was asked for twice"


async def settle_screen(pilot: Pilot[Ending]) -> None:
    """Until what came is on the screen, whatever is being done."""
    await pilot.pause()
    await pilot.pause()


async def test_a_refusal_is_said_with_its_hint_and_stays() -> None:
    hands = Hands(refusal=RejectedError("redis keeps data", hint="`--force` does it"))
    app = make_app(hands=hands)
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(pilot)
        await pilot.press("r")
        await settle(pilot)
        assert "redis keeps data; `--force` does it" in text_of(app)


async def test_x_tells_what_it_comes_to_and_asks() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert "take prism-admin, and what needs it: web, out of the stack?" in text_of(app)
        await pilot.press("n", "x")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
    assert hands.done == [("stop", "prism-admin")]


async def test_a_offers_what_is_not_there() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)
        assert "event streams" in text_of(app)
        await pilot.press(*"post", "enter")
        await settle(pilot)
    assert hands.done == [("add", "postgres")]


TAKEN = KeyQuestion(
    "port 9092 (kafka) is in use by PID 7, python3 -m http.server --bind 127.0.0.1 9092, user ana, since 09:14",
    (
        Choice("k", "end PID 7"),
        Choice("a", "give kafka another port"),
        Choice("q", "stop here"),
    ),
)


async def add_what_is_blocked(pilot: Pilot[Ending]) -> None:
    await settle(pilot)
    await pilot.press("a")
    await settle(pilot)
    await pilot.press(*"kaf", "enter")
    await settle(pilot)


@pytest.mark.parametrize("key", ["k", "a"])
async def test_a_service_whose_port_is_taken_is_added_once_somebody_says_what_to_do(
    key: str,
) -> None:
    hands = Hands(in_the_way=TAKEN)
    app = make_app(hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await add_what_is_blocked(pilot)
        shown = " ".join(text_of(app).split())
        assert TAKEN.words in shown
        assert "k end PID 7 a give kafka another port q stop here" in shown
        await pilot.press("x", "r", key)
        await settle(pilot)
        assert f"did add kafka {key}" in text_of(app)
    assert hands.done == [("add", "kafka", key)]


@pytest.mark.parametrize("key", ["q", "escape", "enter"])
async def test_a_service_whose_port_is_taken_can_be_let_be(key: str) -> None:
    hands = Hands(in_the_way=TAKEN)
    app = make_app(hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await add_what_is_blocked(pilot)
        await pilot.press(key)
        await settle(pilot)
        assert app.is_running
        assert "PID 7" not in text_of(app)
    assert not hands.done


async def test_what_to_do_about_a_taken_port_is_not_asked_any_more_once_it_was_added_elsewhere() -> (
    None
):
    app = make_app(hands=Hands(in_the_way=TAKEN))
    async with app.run_test(size=(80, 24)) as pilot:
        await add_what_is_blocked(pilot)
        app.mailbox.put_status(status(*RUNNING["services"], service("kafka")))
        await settle(pilot)
        assert "PID 7" not in text_of(app)
        assert "kafka was added from elsewhere" in text_of(app)


async def test_that_something_could_not_be_added_is_no_news_once_it_was_added_elsewhere() -> None:
    hands = Hands(refusal=PrismError("port 9092 (kafka) is in use by PID 7"))
    app = make_app(hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await add_what_is_blocked(pilot)
        app.mailbox.put_status(RUNNING)
        await settle(pilot)
        assert "in use by PID 7" in text_of(app)
        app.mailbox.put_status(status(*RUNNING["services"], service("kafka")))
        await settle(pilot)
        assert "in use by PID 7" not in text_of(app)


async def test_what_comes_up_while_something_else_is_asked_is_not_lost() -> None:
    hands = Hands(in_the_way=TAKEN, waits=True)
    app = make_app(hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app._do(Do("add", argument="kafka"))
        await pilot.press("s")
        hands.may_end.set()
        await settle(pilot)
        assert "how many of prism-admin?" in text_of(app)
        await pilot.press("escape")
        assert "port 9092 (kafka) is in use by PID 7" in text_of(app)


async def test_a_refusal_that_is_longer_than_the_screen_is_wide_can_be_read_to_its_end() -> None:
    hint = "`prismctl dev scale prism-admin 0 --stack default` lets go of what it holds for good"
    refusal = RejectedError("prism-admin keeps data that two would write to", hint=hint)
    app = make_app(hands=Hands(refusal=refusal))
    async with app.run_test(size=(60, 24)) as pilot:
        await settle(pilot)
        rows = app.canvas.frame.services
        await pilot.press("r")
        await settle(pilot)
        assert f"{refusal.message}; {hint}" in " ".join(text_of(app).split())
        assert "? help" in text_of(app)
        assert app.canvas.frame.services == rows, "the table moved"


async def test_an_address_that_nothing_here_can_open_stays_until_esc() -> None:
    url = "http://127.0.0.1:4646/ui/?ott=1c8a0f1e-0000-4000-8000-000000000000"
    app = make_app(hands=Hands(address=ToOpen(url)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert "open this in a browser" in text_of(app)
        assert f"\n {url}\n" in text_of(app)
        await pilot.press("down", "d", "l")
        app.state = forget_message(app.state, app._clock() + 1000)
        await settle(pilot)
        assert url in text_of(app)
        await pilot.press("escape")
        assert url not in text_of(app)


async def test_logs_that_have_not_been_read_yet_are_not_taken_for_none() -> None:
    app = make_app(None)
    app.mailbox.put_status(RUNNING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "nothing yet" not in text_of(app)
        assert "reading what was printed" in text_of(app)
        await pilot.press("y")
        assert "there is nothing to copy" in text_of(app)
        app.mailbox.put_end_of_history()
        await settle(pilot)
        assert "it has printed nothing yet" in text_of(app)


@pytest.mark.parametrize("key", ["f", "r", "a", "w", "n", "y", "down", "enter"])
async def test_a_key_before_anything_is_known_gets_an_answer(key: str) -> None:
    hands = Hands()
    app = make_app(None, hands=hands)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        assert "the daemon has not answered yet" in text_of(app)
    assert not hands.done


async def test_what_shall_be_shown_can_be_said_before_anything_is_known() -> None:
    app = make_app(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("d")
        app.mailbox.put_status(RUNNING)
        await settle(pilot)
        assert "what needs what" in text_of(app)


async def test_k_names_who_has_the_port_and_ends_it_after_a_yes() -> None:
    hands = Hands(holder=Question("end PID 12345, python3 server.py, which has port 8981?"))
    app = make_app(hands=hands)
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(pilot)
        await pilot.press("k")
        await settle(pilot)
        assert "end PID 12345" in text_of(app)
        await pilot.press("y")
        await settle(pilot)
    assert hands.done == [("end", "prism-admin")]


async def test_k_says_where_nobody_has_it_or_it_cannot_be_ended() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(pilot)
        await pilot.press("k")
        await settle(pilot)
        assert "nobody else has a port of prism-admin" in text_of(app)
        hands.holder = Question("", "it is root's; `sudo kill 7` ends it")
        await pilot.press("k")
        await settle(pilot)
        assert "`sudo kill 7` ends it" in text_of(app)
        assert app.state.prompt is None


async def test_stopping_the_stack_ends_the_dashboard() -> None:
    hands = Hands()
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("X", "y")
        await settle(pilot)
    assert app.return_value is Ending.STOPPED
    assert hands.done == [("stop-stack",)]


async def test_a_stack_that_cannot_be_stopped_is_still_shown() -> None:
    hands = Hands(refusal=PrismError("redis does not end"))
    app = make_app(hands=hands)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("X", "y")
        await settle(pilot)
        assert app.is_running
        assert "redis does not end" in text_of(app)


async def test_a_stack_that_was_stopped_elsewhere_can_be_started_again() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        app.mailbox.put_loss(Loss("it was stopped", "", is_stopped=True))
        await settle(pilot)
        assert "was stopped from elsewhere" in text_of(app)
        await pilot.press("S")
    assert app.return_value is Ending.START_AGAIN


async def test_a_daemon_that_is_lost_and_found_again() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        app.mailbox.put_loss(Loss("the daemon is suspended (PID 7)", ""))
        await settle(pilot)
        assert "stale" in text_of(app)
        assert "suspended (PID 7)" in text_of(app)
        assert "prism-admin" in text_of(app)
        app.mailbox.put_status(RUNNING)
        await settle(pilot)
        assert "stale" not in text_of(app)
        assert app.state.link is Link.LIVE


async def test_a_failure_is_on_the_screen_with_what_to_try() -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        app.mailbox.put_status(BROKEN)
        await settle(pilot)
        text = text_of(app)
        assert "✗ postgres failed: exited 6 times with code 1" in text
        assert "r tries it again" in text
        assert "FATAL:  data directory" in text


async def test_l_on_a_failure_card_shows_the_logs_of_what_failed_and_the_card_again() -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        app.mailbox.put_status(BROKEN)
        app.mailbox.put_lines([log(f"before it failed {at}", "postgres") for at in range(100)])
        await settle(pilot)
        assert app.state.selected == "postgres"
        assert "l all it printed" in text_of(app)
        assert "what to try" in text_of(app)
        await pilot.press("l")
        logs = text_of(app)
        assert "── logs: postgres ──" in logs
        assert "before it failed 99" in logs
        assert "what to try" not in logs
        await pilot.press("l")
        assert "what to try" in text_of(app)
        assert app.state.selected == "postgres"


async def test_a_click_selects_and_one_in_the_log_takes_its_line() -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.click(offset=(10, line_with(app, " redis ")))
        assert app.state.selected == "redis"
        await pilot.click(offset=(10, line_with(app, "Ready to accept")))
        await pilot.press("y")
        assert app.clipboard.endswith("Ready to accept connections")


def line_with(app: DashboardApp, words: str) -> int:
    return next(y for y, text in enumerate(text_of(app).splitlines()) if words in text)


async def test_the_wheel_rolls_what_is_below_it() -> None:
    app = make_app()
    app.mailbox.put_lines([log(f"line {number}") for number in range(200)])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "line 199" in text_of(app)
        await pilot._post_mouse_events([MouseScrollUp], offset=(5, 20))
        assert "line 199" not in text_of(app)
        assert "lines below" in text_of(app)
        await pilot._post_mouse_events([MouseScrollDown], offset=(5, 20))
        await settle(pilot)
        assert "line 199" in text_of(app)
        await pilot._post_mouse_events([MouseScrollDown], offset=(5, 4))
        assert app.state.selected == "pattern-launcher"


async def test_lines_that_come_do_not_move_what_somebody_reads() -> None:
    app = make_app()
    app.mailbox.put_lines([log(f"line {number}") for number in range(100)])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("tab", "pageup")
        await settle(pilot)
        before = text_of(app).splitlines()[8:20]
        app.mailbox.put_lines([log(f"more {number}") for number in range(100)])
        await settle(pilot)
        assert text_of(app).splitlines()[8:20] == before
        await pilot.press("G")
        await settle(pilot)
        assert "more 99" in text_of(app)


async def test_pasted_text_goes_into_a_question() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        app.post_message(Paste("X y q"))
        await settle(pilot)
        assert app.is_running
        assert app.state.prompt is None
        await pilot.press("slash")
        app.post_message(Paste("redis"))
        await settle(pilot)
        assert app.state.filter == "redis"


async def test_a_signal_that_came_before_it_was_there_ends_it() -> None:
    app = DashboardApp(
        DashboardState(),
        Hands().doing(),
        theme=choose_theme(""),
        find_signal=lambda: 15,
        driver_class=None,
    )
    async with app.run_test() as pilot:
        await pilot.pause()
    assert app.ended_by == 15


async def test_a_flood_is_calm_and_what_is_kept_of_it_is_bounded() -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await settle(pilot)
        before = app.frames
        began = app._clock()

        def flood() -> None:
            for number in range(1000):
                app.mailbox.put_lines([log(f"{number}.{each}") for each in range(100)])

        thread = threading.Thread(target=flood)
        thread.start()
        while thread.is_alive():
            await pilot.pause(0.01)
        await settle(pilot)
        seconds = app._clock() - began
        assert app.frames - before <= seconds * 30 + 3
        assert len(app.logbook.ring("prism-admin")) <= LINES_OF_ONE
        assert "999.99" in text_of(app)


async def test_a_reader_that_is_slow_gets_the_newest_lines_and_is_told() -> None:
    app = make_app()
    app.mailbox.take()
    app.mailbox.put_lines([log(f"line {number}") for number in range(WAITING_LINES + 5)])
    app.mailbox.put_lines([log(f"line {number}", "redis") for number in range(7)])
    note, *lines = app.mailbox.take().lines
    assert len(lines) == WAITING_LINES
    assert note.text == "skipped 12 lines: they came faster than they can be shown"
    assert (note.service, note.time) == ("prism-admin", lines[0].time)
    assert not app.mailbox.take().lines


async def test_lines_that_are_missing_are_counted_also_where_the_note_of_them_is_left_out() -> None:
    app = make_app()
    app.mailbox.take()
    skipped = {"service": "redis", "stream": "skipped", "time": "2026-01-02T03:04:05Z"}
    exact = decode_line({**skipped, "text": "skipped 40 lines (400 bytes): they were gone"})
    vague = decode_line({**skipped, "text": "skipped 400 bytes: they were gone"})
    flood = [log(f"line {number}") for number in range(WAITING_LINES)]
    for note, words in ((exact, "skipped 41 lines: "), (vague, "skipped more than 1 line: ")):
        app.mailbox.put_lines([note, log("a line", "redis"), *flood])
        assert app.mailbox.take().lines[0].text.startswith(words)


def test_only_what_is_different_is_drawn_again() -> None:
    from prismctl.tui.dashboard.arrivals import take_status
    from prismctl.tui.dashboard.frame import compose_frame
    from prismctl.tui.dashboard.logbook import Logbook

    services = [service(f"service-{number:02d}") for number in range(100)]
    state = take_status(DashboardState(), status(*services), 0.0)
    services[3] = {**services[3], "requests_per_second": 7.0}
    after = take_status(state, status(*services), 0.01)
    frames = [
        compose_frame(each, Logbook(), width=120, height=60, now=0.0) for each in (state, after)
    ]
    (changed,) = changed_lines(*frames)
    assert frames[0].services[changed] == "service-03"


async def test_without_colour_nothing_is_painted() -> None:
    app = make_app(has_colour=False)
    async with app.run_test() as pilot:
        await settle(pilot)
        for strip in app.screen._compositor.render_strips():
            assert all(
                segment.style is None or segment.style.color in {None, ansi_default()}
                for segment in strip
            )


def ansi_default() -> object:
    from rich.color import Color

    return Color.parse("default")


def test_each_theme_has_a_look_for_each_tone() -> None:
    assert set(THEMES) == set(THEME_NAMES)
    for theme in THEMES.values():
        assert set(theme.styles) == set(Tone)
        assert draw_line(line("words"), 10, theme).cell_length == 10


async def test_a_dashboard_that_opens_before_anybody_answers_shows_what_comes() -> None:
    app = make_app(None)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert "asking the daemon" in text_of(app)
        app.mailbox.put_status(status(ADMIN, REDIS))
        await settle(pilot)
        assert "redis" in text_of(app)


async def test_the_keys_of_settings_are_the_ones_that_are_shown() -> None:
    from prismctl.tui.dashboard.actions import make_keymap

    hands = Hands()
    app = make_app(hands=hands, keymap=make_keymap({"restart": "R"}))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert "R restart" in text_of(app)
        await pilot.press("r", "R")
        await settle(pilot)
    assert hands.done == [("restart", "prism-admin")]


async def test_a_screen_that_gets_smaller_is_drawn_anew() -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.resize_terminal(50, 14)
        await settle(pilot)
        assert max(map(len, text_of(app).splitlines())) <= 50
        assert "help" in text_of(app)
        await pilot.press("l")
        assert app.state.pane is Pane.NONE
