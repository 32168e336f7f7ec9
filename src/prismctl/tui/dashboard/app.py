"""The dashboard on a screen: keys, mouse and what came from the daemon in, lines out.

What they mean is `dashboard.state`'s affair, how they look `dashboard.panes`'. A frame is drawn when something
changed, at most thirty times a second, and only the lines that are different are sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message

from prismctl.errors import PrismError
from prismctl.present.text import Tone
from prismctl.tui.dashboard import arrivals, keys, moving, questions
from prismctl.tui.dashboard import state as states
from prismctl.tui.dashboard.canvas import CalmDriver, Canvas
from prismctl.tui.dashboard.errands import Inquiry, Lending, Work, plan_errand
from prismctl.tui.dashboard.feeds import Mailbox
from prismctl.tui.dashboard.frame import compose_frame, texts_to_copy
from prismctl.tui.dashboard.lending import run_in_foreground, unheard_signals
from prismctl.tui.dashboard.logbook import Logbook
from prismctl.tui.dashboard.moving import Reach
from prismctl.tui.dashboard.state import Focus, Link, Pane

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.driver import Driver

    from prismctl.tui.dashboard.doing import Doing
    from prismctl.tui.dashboard.errands import Ask
    from prismctl.tui.dashboard.state import DashboardState, Do
    from prismctl.tui.dashboard.themes import Theme

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the dashboard as `q` does, so that the terminal is given back in order."""
FRAME_SECONDS: Final = 1 / 30
TICK_SECONDS: Final = 1.0
"""How often ages and uptimes are counted on."""
WHEEL_LINES: Final = 3


class Ending(StrEnum):
    """Why the dashboard was left."""

    LEFT = "left"
    """The stack runs on."""
    STOPPED = "stopped"
    """The stack was stopped, from here or from elsewhere."""
    START_AGAIN = "start again"


class DashboardApp(App[Ending]):
    """Shows a stack until it is left; ends with why."""

    class Done(Message):
        """Something that was asked for was done, or not."""

        def __init__(self, words: str, tone: Tone, errand: Work | Inquiry) -> None:
            super().__init__()
            self.words = words
            self.tone = tone
            self.errand = errand

        @property
        def is_good(self) -> bool:
            """Whether it was done."""
            return self.tone is not Tone.BAD

    class Asked(Message):
        """What was found out leads to a question."""

        def __init__(self, ask: Ask, errand: Work | Inquiry) -> None:
            super().__init__()
            self.ask = ask
            self.errand = errand

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen, Canvas { background: ansi_default; color: ansi_default; }
    Canvas { width: 1fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "type('ctrl+c')", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("tab", "type('tab')", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(
        self,
        state: DashboardState,
        doing: Doing,
        *,
        theme: Theme,
        find_signal: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
        driver_class: type[Driver] | None = CalmDriver,
    ) -> None:
        # The terminal's own colours, and its own background.
        super().__init__(ansi_color=True, driver_class=driver_class)
        self.state = state
        self._doing = doing
        self._theme = theme
        self._find_signal = find_signal
        self._clock = clock
        self.logbook = Logbook()
        self.mailbox = Mailbox(self._wake)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_drawing_due = False
        self._drawn_at = float("-inf")
        self.ended_by = 0
        """The signal that ended it, if one did."""
        self.has_begun = False
        """Whether it has had the screen, and gives it back itself."""
        self.frames = 0
        """How many were drawn."""

    def compose(self) -> ComposeResult:
        """The one widget there is."""
        yield Canvas(self._theme)

    def on_mount(self) -> None:
        """Begin."""
        self.has_begun = True
        self._loop = asyncio.get_running_loop()
        for number in ENDING:
            self._loop.add_signal_handler(number, self._leave_for, number)
        # One that came before anybody here could hear it counts as well.
        if earlier := self._find_signal():
            self._leave_for(earlier)
        self.app_resume_signal.subscribe(self, lambda _: self._draw_anew())
        self.canvas.focus()
        self.set_interval(TICK_SECONDS, self._tick)
        self._take_delivery()
        self._draw()

    @property
    def canvas(self) -> Canvas:
        """What is drawn on."""
        return self.query_one(Canvas)

    # What comes.

    def _wake(self) -> None:
        """Something lies in the mailbox; called from the threads that put it there."""
        loop = self._loop
        if loop is not None:
            # One that is closed has nobody left who would look.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._schedule)

    def _schedule(self) -> None:
        if self._is_drawing_due:
            return
        self._is_drawing_due = True
        wait = self._drawn_at + FRAME_SECONDS - self._clock()
        if wait > 0 and self._loop is not None:
            self._loop.call_later(wait, self._draw_due)
        else:
            self._draw_due()

    def _draw_due(self) -> None:
        self._is_drawing_due = False
        if self.is_running and self.query(Canvas):
            self._take_delivery()
            self._draw()

    def _take_delivery(self) -> None:
        delivery = self.mailbox.take()
        now = self._clock()
        state = self.state
        if delivery.lines:
            self.logbook.add(delivery.lines)
        self.logbook.is_read = self.logbook.is_read or delivery.has_read_logs
        if delivery.history is not None:
            state = arrivals.take_history(state, delivery.history)
        if delivery.status is not None:
            before = {str(each["name"]) for each in state.services}
            state = arrivals.take_status(state, delivery.status, now)
            # One whose lines come before it is in a document was not taken out.
            self.logbook.forget(before - {str(each["name"]) for each in state.services})
        if delivery.report is not None:
            state = replace(state, report=delivery.report)
        if delivery.loss is not None:
            state = arrivals.lose(state, delivery.loss, now)
        self.state = state

    def _tick(self) -> None:
        self.state = states.forget_message(self.state, self._clock())
        self._schedule()

    # What is drawn.

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        self.frames += 1
        size = self.size
        self.canvas.show(
            compose_frame(
                self.state,
                self.logbook,
                width=size.width,
                height=size.height,
                now=self._drawn_at,
            )
        )

    def _draw_anew(self) -> None:
        """The terminal forgot what was on the screen while somebody else had it."""
        for widget in self.screen.walk_children(with_self=True):
            widget.refresh(layout=True)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._draw)

    # What somebody does.

    def on_key(self, event: events.Key) -> None:
        """A key is pressed."""
        event.stop()
        event.prevent_default()
        character = event.character
        is_text = character is not None and character.isprintable() and character != " "
        self._press(character if is_text and character is not None else event.key)

    def action_type(self, key: str) -> None:
        """A key that would be taken by somebody else on its way."""
        self._press(key)

    def action_leave(self) -> None:
        """Leave, whatever is asked at the moment."""
        self._leave()

    def on_paste(self, event: events.Paste) -> None:
        """Text is pasted; only into what is asked."""
        event.stop()
        self._become(questions.type_in(self.state, event.text))

    def on_click(self, event: events.Click) -> None:
        """Select the service that is clicked at, or the line."""
        frame = self.canvas.frame
        if event.button != 1 or self.state.prompt is not None:
            return
        now = self._clock()
        name = frame.services.get(event.y)
        if name is not None:
            is_again = name == self.state.selected and self.state.pane is Pane.NONE
            state = replace(states.select(self.state, name), key_at=now, focus=Focus.SERVICES)
            self._become(replace(state, pane=Pane.LOGS) if is_again else state)
        elif event.y in frame.pane:
            number = frame.pane_top + event.y - frame.pane.start
            if number < frame.end:
                state = replace(self.state, key_at=now, focus=Focus.PANE)
                place = states.Scroll(line=number, top=frame.pane_top)
                self._become(replace(state, scroll=place))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves what is below it."""
        self._roll(event.y, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The same, the other way."""
        self._roll(event.y, -WHEEL_LINES)

    def _roll(self, y: int, by: int) -> None:
        if self.state.prompt is not None:
            return
        if y in self.canvas.frame.pane:
            self._become(moving.roll(self.state, by, self._reach()))
        else:
            self._become(moving.move(self.state, 1 if by > 0 else -1))

    def _reach(self) -> Reach:
        frame = self.canvas.frame
        page = len(frame.pane) if self.state.focus is Focus.PANE else len(frame.services)
        return Reach(
            page=max(1, page - 1),
            height=max(1, len(frame.pane)),
            first=frame.first,
            end=frame.end,
        )

    def _press(self, key: str) -> None:
        state, asked = keys.press(self.state, key, self._clock(), self._reach())
        self._become(state)
        if asked is not None:
            self._do(asked)

    def _become(self, state: DashboardState) -> None:
        if state != self.state:
            self.state = state
            # A key is answered at once.
            self._take_delivery()
            self._draw()

    # What is done.

    def _do(self, asked: Do) -> None:
        if asked.action == "leave":
            self._leave()
        elif asked.action == "start-again":
            self.exit(Ending.START_AGAIN)
        elif asked.action == "copy":
            self._copy()
        else:
            source = "" if self.state.pane is Pane.ALL_LOGS else asked.service
            errand = plan_errand(asked, self._doing, log_source=source)
            if isinstance(errand, Lending):
                self._lend(errand)
            else:
                self._begin(errand)

    def _leave(self) -> None:
        self.exit(Ending.STOPPED if self.state.link is Link.STOPPED else Ending.LEFT)

    def _leave_for(self, number: int) -> None:
        self.ended_by = number
        self._leave()

    def _copy(self) -> None:
        texts = texts_to_copy(self.state, self.logbook, self.canvas.frame)
        if not any(texts):
            self._say("there is nothing to copy")
            return
        self.copy_to_clipboard("\n".join(texts))
        what = "the line" if len(texts) == 1 else f"{len(texts)} lines"
        self._say(f"copied {what}, if this terminal lets programs do that")

    def _say(self, words: str, tone: Tone = Tone.PLAIN) -> None:
        self._become(states.say(self.state, words, self._clock(), tone))

    def _begin(self, errand: Work | Inquiry) -> None:
        """Have it done in a thread; what came of it is said, or asked."""
        if errand.busy in self.state.busy:
            return
        self._become(replace(self.state, busy=(*self.state.busy, errand.busy), message=None))
        self.run_worker(lambda: self._run(errand), thread=True, group="dashboard.work")

    def _run(self, errand: Work | Inquiry) -> None:
        # The dashboard may have been left meanwhile: then nobody hears it.
        try:
            come_of_it = errand.run()
        except PrismError as error:
            told = f"{error.message}; {error.hint}" if error.hint else error.message
            self.post_message(self.Done(told, Tone.BAD, errand))
            return
        if isinstance(come_of_it, str):
            self.post_message(self.Done(come_of_it, Tone.GOOD, errand))
        else:
            self.post_message(self.Asked(come_of_it, errand))

    def _no_longer(self, busy: str) -> None:
        left = tuple(each for each in self.state.busy if each != busy)
        self._become(replace(self.state, busy=left))

    def on_dashboard_app_done(self, message: Done) -> None:
        """Say what came of it."""
        self._no_longer(message.errand.busy)
        about = message.errand.about if isinstance(message.errand, Work) else ""
        self._become(
            states.say(self.state, message.words, self._clock(), message.tone, about=about)
        )
        if isinstance(message.errand, Work) and message.errand.is_last and message.is_good:
            self.exit(Ending.STOPPED)

    def on_dashboard_app_asked(self, message: Asked) -> None:
        """Ask; where something else is asked meanwhile, say what would have been."""
        self._no_longer(message.errand.busy)
        before = self.state.prompt
        asked = message.ask(self.state, self._clock())
        if before is not None and asked.prompt is not before and asked.prompt is not None:
            asked = states.say(asked, asked.prompt.question, self._clock(), Tone.BAD)
        self._become(replace(asked, prompt=before or asked.prompt))

    # What gets the terminal.

    def _lend(self, lending: Lending) -> None:
        """Let another program have the terminal until it ends."""
        try:
            program = lending.make()
        except PrismError as error:
            self._say(error.message, Tone.BAD)
            return
        with self.suspend(), unheard_signals():
            code = run_in_foreground(program)
        if code is None:
            self._say(f"{program.words[0]} could not be started", Tone.BAD)
        self._take_delivery()
        self._draw_anew()
        self._draw()
