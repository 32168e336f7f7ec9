"""The picker on a screen: keys and mouse in, lines out. What a key means is `picker.state`'s affair."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.worker import WorkerFailed

from prismctl.domain.picking import PROFILE, command_words
from prismctl.present.text import Span, Tone, line
from prismctl.tui.picker import state as states
from prismctl.tui.picker.doing import Picked
from prismctl.tui.picker.preview import preview_lines
from prismctl.tui.picker.screen import (
    QUESTIONS,
    divide,
    foot_lines,
    key_lines,
    next_page,
    page_lines,
    roll_page,
    title_line,
)
from prismctl.tui.picker.widgets import LinesView, ServiceList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.widgets import Input

    from prismctl.domain.picking import Picking
    from prismctl.present.text import Line
    from prismctl.tui.picker.doing import Doing
    from prismctl.tui.picker.preview import Preview
    from prismctl.tui.picker.screen import Layout
    from prismctl.tui.picker.state import PickerState

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that end the picker as `q` does, so that the terminal is given back in order."""
PAGE: Final = 10
WHEEL_LINES: Final = 3
"""How far the preview moves at one turn of the wheel."""
TYPED: Final = frozenset(
    {
        "take",
        "start",
        "save",
        "next_point",
        "find",
        "group",
        "more",
        "copy",
        "explain",
        "move",
        "leave",
    }
)
"""Actions of keys that are letters, or mean something else, where somebody types a name."""


class PickerApp(App[Picked]):
    """Lets somebody choose; ends with what was picked, or with nothing."""

    class Looked(Message):
        """It is known what a selection would be."""

        def __init__(self, picked: Picked, preview: Preview) -> None:
            super().__init__()
            self.picked = picked
            self.preview = preview

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    CSS = """
    Screen { layout: vertical; background: ansi_default; color: ansi_default; }
    Container, LinesView { background: ansi_default; color: ansi_default; }
    #title { height: 2; }
    #body { height: 1fr; layout: vertical; }
    #services {
        height: 1fr; scrollbar-size-vertical: 1;
        background: ansi_default; color: ansi_default;
        scrollbar-background: ansi_default; scrollbar-color: ansi_default;
        scrollbar-background-hover: ansi_default; scrollbar-color-hover: ansi_default;
        scrollbar-background-active: ansi_default; scrollbar-color-active: ansi_default;
    }
    #preview { height: 9; margin-top: 1; }
    #foot { height: 3; }
    #question { height: 1; layout: horizontal; }
    #label { height: 1; }
    Input { height: 1; width: 1fr; border: none; padding: 0; background: ansi_default; color: ansi_default; }
    .wide #body { layout: horizontal; }
    .wide #services { width: 3fr; height: 1fr; }
    .wide #preview { width: 2fr; height: 1fr; margin: 0 0 0 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # All with priority: each is answered before the next key is looked at, so that a name that is typed
        # right after `s` is a name.
        Binding(key, action, show=False, priority=True)
        for key, action in (
            ("space", "take"),
            # What was typed while the terminal still belonged to the shell has another enter.
            ("enter,ctrl+j", "start"),
            ("s", "save"),
            ("p", "next_point"),
            ("slash", "find"),
            ("a", "group"),
            ("m", "more"),
            ("c", "copy"),
            ("question_mark", "explain"),
            ("j", "move(1)"),
            ("k", "move(-1)"),
            ("G,end", "move(1000000)"),
            ("g,home", "move(-1000000)"),
            ("down", "step(1)"),
            ("up", "step(-1)"),
            ("pagedown", f"step({PAGE})"),
            ("pageup", f"step(-{PAGE})"),
            ("q", "leave"),
            ("ctrl+c,ctrl+q", "end"),
            ("escape", "back"),
            ("ctrl+z", "suspend_process"),
        )
    ]

    def __init__(
        self,
        state: PickerState,
        doing: Doing,
        *,
        stack: str,
        flags: Sequence[str] = (),
        has_colour: bool = True,
    ) -> None:
        # The terminal's own colours, and its own background.
        super().__init__(ansi_color=True)
        self._has_colour = has_colour
        self.state = state
        self._doing = doing
        self._stack = stack
        self._flags = tuple(flags)
        self.ended_by = 0
        """The signal that ended it, if one did."""
        self.has_begun = False
        """Whether it has had the screen, and gives it back itself."""
        self._worked_out: Picking | None = None
        self._picked = Picked(())
        self._command: tuple[str, ...] = ()
        self._preview: Preview | None = None
        self._looked_at: Picked | None = None
        self._is_looking = False
        self._is_explained = False
        self._area = (80, 24)
        """Columns and lines of the screen."""
        self._arranged: tuple[Layout, int] | None = None
        self._told: Sequence[Line] = ()
        """All of the preview, in view or not."""
        self._top = 0
        """The first line of it that is in view."""
        self.failure: Exception | None = None
        """What ended it although nobody wanted that: a bug, for whoever runs this to tell."""
        self._asks_for = ""
        """``find``, ``name``, or nothing."""

    @property
    def command(self) -> tuple[str, ...]:
        """What would have to be typed to start the same."""
        self._work_out()
        return self._command

    @property
    def picked(self) -> Picked:
        """What is chosen now."""
        self._work_out()
        return self._picked

    def _work_out(self) -> None:
        """What follows from what is chosen, once a change: moving the cursor changes none of it."""
        state = self.state
        if self._worked_out is state.picking:
            return
        profile = state.profile
        name = profile.origin.removeprefix(PROFILE) if profile is not None else ""
        self._picked = Picked(tuple(state.picking.selected), name)
        self._command = command_words(state.picking, profile=profile, others=self._flags)
        self._worked_out = state.picking
        self._top = 0

    def compose(self) -> ComposeResult:
        """The screen's parts."""
        yield LinesView(id="title", has_colour=self._has_colour)
        with Container(id="body"):
            yield ServiceList(has_colour=self._has_colour)
            yield LinesView(id="preview", has_colour=self._has_colour)
        yield LinesView(id="foot", has_colour=self._has_colour)

    def on_mount(self) -> None:
        """Begin."""
        self.has_begun = True
        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, self._leave_for, number)
        if earlier := self._doing.find_signal():
            self._leave_for(earlier)
        self.app_resume_signal.subscribe(self, lambda _: self._draw_anew())
        # At once, as in `_ask`: a key that has come already may ask for a name.
        self.screen.set_focus(self.query_one(ServiceList))
        self._area = (self.size.width, self.size.height)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange all anew."""
        self._area = (event.size.width, event.size.height)
        self._top = 0
        self._show()

    def on_service_list_clicked(self, message: ServiceList.Clicked) -> None:
        """Take in or out what is clicked at."""
        self._become(states.click(self.state, message.row))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the preview, or the keys in its place; the list moves itself."""
        self._roll(event, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The same, the other way."""
        self._roll(event, -WHEEL_LINES)

    def _roll(self, event: events.MouseEvent, by: int) -> None:
        region = self.query_one("#preview").region
        if self._arranged is None or not region.contains_point(event.screen_offset):
            return
        layout, _ = self._arranged
        self._top = roll_page(len(self._told), layout.preview_height, self._top, by)
        self._show()

    def action_take(self) -> None:
        """Take the service in or out."""
        self._become(states.toggle(self.state))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are letters while somebody types."""
        del parameters
        return not (self._asks_for and action in TYPED)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._become(states.move(self.state, by))

    def action_step(self, by: int) -> None:
        """Move the cursor, also while somebody types what to find."""
        self._become(states.move(self.state, by))

    def action_more(self) -> None:
        """Show more of the preview."""
        layout, _ = self._arranged or (divide(*self._area), 0)
        self._top = next_page(len(self._told), layout.preview_height, self._top)
        self._show()

    def action_group(self) -> None:
        """Take the group in or out."""
        self._become(states.toggle_group(self.state))

    def action_next_point(self) -> None:
        """Go on to the next preset or profile."""
        self._become(states.take_next_point(self.state))

    def action_start(self) -> None:
        """Decide."""
        self.exit(self.picked)

    def action_leave(self) -> None:
        """Start nothing."""
        self.exit(None)

    def action_end(self) -> None:
        """Start nothing, whatever is being typed."""
        self.exit(None)

    def _leave_for(self, number: int) -> None:
        self.ended_by = number
        self.exit(None)

    def action_copy(self) -> None:
        """Hand the command to the terminal's clipboard (OSC 52)."""
        self.copy_to_clipboard(" ".join(self.command))
        self._say("copied, if this terminal lets programs do that")

    def action_explain(self) -> None:
        """Show the keys in the preview's place, or the preview again."""
        self._is_explained = not self._is_explained
        self._top = 0
        self._show()

    async def action_find(self) -> None:
        """Ask what to look for."""
        await self._ask("find", self.state.words)

    async def action_save(self) -> None:
        """Ask for the profile's name."""
        await self._ask("name", "")

    async def action_back(self) -> None:
        """End what is asked, then the search, then all."""
        if self._asks_for:
            was = self._asks_for
            await self._stop_asking()
            if was == "find":
                self._become(states.look_for(self.state, ""))
        elif self.state.words:
            self._become(states.look_for(self.state, ""))
        elif self._is_explained:
            self.action_explain()
        else:
            self.action_leave()

    async def on_input_changed(self, event: Input.Changed) -> None:
        """Find while somebody types."""
        if self._asks_for == "find":
            self._become(states.look_for(self.state, event.value))

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        was, text = self._asks_for, event.value.strip()
        await self._stop_asking()
        if was == "name" and text:
            self._say(self._doing.save(text, self.picked))

    async def _ask(self, what: str, text: str) -> None:
        from textual.widgets import Input

        self._asks_for = what
        label = LinesView(id="label", has_colour=self._has_colour)
        label.show([line(Span(QUESTIONS[what], Tone.STRONG))])
        label.styles.width = len(QUESTIONS[what])
        asked = Input(text)
        await self.mount(Container(label, asked, id="question"), before="#foot")
        # At once: what is typed next is meant for it.
        self.screen.set_focus(asked)
        self._show()

    async def _stop_asking(self) -> None:
        self._asks_for = ""
        await self.query("#question").remove()
        self.screen.set_focus(self.query_one(ServiceList))
        self._show()

    def _handle_exception(self, error: Exception) -> None:
        """End; Textual would print all it knows, a bug is told in one line by whoever runs this."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.failure is None:
            self.failure = cause if isinstance(cause, Exception) else error
        super()._handle_exception(error)
        self._exit_renderables.clear()

    def _become(self, state: PickerState) -> None:
        self.state = state
        self._show()

    def _say(self, words: str) -> None:
        self._become(replace(self.state, message=words))

    def _draw_anew(self) -> None:
        """The terminal forgot what was on the screen while the shell had it."""
        for widget in self.screen.walk_children(with_self=True):
            widget.refresh(layout=True)

    def _show(self) -> None:
        state = self.state
        wanted = self.picked
        preview = self._preview if self._looked_at == wanted else None
        self.query_one("#title", LinesView).show([title_line(state, self._stack)])
        # What is known of a service is so until something else is.
        foot = foot_lines(state, self.command, self._area, self._preview, asks_for=self._asks_for)
        self.query_one("#foot", LinesView).show(foot)
        layout = self._arrange(len(foot))
        self._told = (
            key_lines(layout.preview_width)
            if self._is_explained
            else preview_lines(state.picking, preview, layout.preview_width)
        )
        self._top = self._top if self._top < len(self._told) else 0
        self.query_one("#preview", LinesView).show(
            page_lines(self._told, layout.preview_width, layout.preview_height, self._top)
        )
        self.query_one(ServiceList).show(state, self._preview)
        if preview is None and not self._is_looking:
            self._is_looking = True
            self.run_worker(lambda: self._look(wanted), thread=True, exit_on_error=True)

    def _arrange(self, foot: int) -> Layout:
        """Put the preview beside the list or below it; what is above a foot of so many lines has the rest."""
        layout = divide(*self._area, foot + bool(self._asks_for), is_explained=self._is_explained)
        if (layout, foot) != self._arranged:
            self._arranged = (layout, foot)
            self.screen.set_class(layout.is_wide, "wide")
            height = "1fr" if layout.is_wide else layout.preview_height
            self.query_one("#preview").styles.height = height
            self.query_one("#foot").styles.height = foot
        return layout

    def _look(self, wanted: Picked) -> None:
        # Nobody waits for whether it is heard: the picker may have been left meanwhile.
        self.post_message(self.Looked(wanted, self._doing.look(wanted)))

    def on_picker_app_looked(self, message: Looked) -> None:
        """Show what was found out."""
        self._is_looking = False
        self._looked_at, self._preview = message.picked, message.preview
        # While the picker is being left its parts are gone one by one.
        if self.query("#foot"):
            self._show()
