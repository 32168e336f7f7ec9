"""What each key makes of the dashboard, and what it asks to be done; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.trouble import is_ill
from prismctl.present.failure import find_missing
from prismctl.present.text import Tone
from prismctl.tui.dashboard.actions import ACTIONS, Section, normal_key
from prismctl.tui.dashboard.moving import Reach, move, next_ill, scroll
from prismctl.tui.dashboard.questions import (
    ASKING,
    DECLINING,
    FILTER,
    PALETTE,
    edit,
    filter_by,
)
from prismctl.tui.dashboard.state import (
    DashboardState,
    Do,
    Focus,
    Link,
    Pane,
    Scroll,
    find_service,
    say,
    select,
)

if TYPE_CHECKING:
    from prismctl.tui.dashboard.actions import Action
    from prismctl.tui.dashboard.state import Prompt

Answer = tuple[DashboardState, Do | None]


def press(state: DashboardState, key: str, now: float, reach: Reach) -> Answer:
    """What a key makes of it, and what it asks to be done."""
    state = replace(state, key_at=now)
    if state.prompt is not None:
        # What was said meanwhile has not been seen: a question stands in its place.
        return _answer(state, state.prompt, key, now)
    message = state.message
    if message is not None and message.tone is Tone.BAD and not message.stays:
        state = replace(state, message=None)
    action = state.keymap.find(key)
    return (state, None) if action is None else act(state, action, now, reach)


def act(
    state: DashboardState, action: Action, now: float, reach: Reach, service: str = ""
) -> Answer:
    """What an action makes of it, and what it asks to be done."""
    service = service or state.selected
    refusal = _refuse(state, action, service)
    if refusal:
        return say(state, refusal, now, Tone.BAD), None
    if action.id in _SHOWING:
        return _SHOWING[action.id](state, reach), None
    if action.id in ASKING:
        return ASKING[action.id](state, service), None
    if action.id == "failed":
        return _go_to_ill(state, now), None
    if action.id == "card":
        return _toggle_card(state, service, now), None
    # What a stopped stack is started again with, and all else that others do.
    return state, Do(action.id, service if action.needs_service else state.selected)


_COUNTING: Final = frozenset({"logs", "all-logs", "graph", "filter"})
"""What can be asked for before anything is known, and is shown as soon as something is."""


def _refuse(state: DashboardState, action: Action, service: str) -> str:
    if action.changes and state.is_read_only:
        return f"{action.title}: this dashboard is read-only"
    if (
        state.status is None
        and action.id not in _COUNTING
        and action.section is not Section.DASHBOARD
    ):
        return f"{action.title}: the daemon has not answered yet"
    if action.id == "start-again":
        return "" if state.link is Link.STOPPED else "it runs"
    if action.changes and state.link is Link.STOPPED:
        return "the stack is stopped"
    if action.needs_service and find_service(state, service) is None:
        return f"{action.title}: no service is selected"
    return ""


def _moved(state: DashboardState, by: int, reach: Reach) -> DashboardState:
    if state.focus is Focus.PANE:
        return scroll(state, by, reach)
    return move(state, by)


def _toggle_logs(state: DashboardState, _: Reach) -> DashboardState:
    if state.pane is not Pane.LOGS:
        return _show(state, Pane.LOGS)
    if state.shows_card:
        return replace(state, shows_logs_of_ill=True, shows_card_of_well=False, scroll=Scroll())
    if state.shows_logs_of_ill and (service := state.service) is not None and is_ill(service):
        return replace(state, shows_logs_of_ill=False, scroll=Scroll())
    return _show(state, Pane.NONE)


def _toggle_card(state: DashboardState, name: str, now: float) -> DashboardState:
    """What went wrong with a service, also of one that is well again; back to its logs."""
    state = select(state, name)
    if state.shows_card:
        return _toggle_logs(state, Reach())
    service = state.service
    is_held_up = bool(find_missing(state.services, name))
    if service is None or not (is_ill(service) or service.get("last_error") or is_held_up):
        return say(state, f"nothing went wrong with {name}", now)
    return replace(
        _show(state, Pane.LOGS), shows_logs_of_ill=False, shows_card_of_well=not is_ill(service)
    )


def _go_to_ill(state: DashboardState, now: float) -> DashboardState:
    name = next_ill(state)
    if not name:
        return say(state, "all is well: nothing to go to", now, Tone.GOOD)
    if name == state.selected:
        state = say(state, f"no other service is unwell, only {name}", now)
    # What is shown of it is what went wrong, whatever was in the pane.
    return replace(_show(select(state, name), Pane.LOGS), shows_logs_of_ill=False)


def _show(state: DashboardState, pane: Pane) -> DashboardState:
    focus = Focus.SERVICES if pane is Pane.NONE else state.focus
    return replace(state, pane=pane, focus=focus, scroll=Scroll())


def _toggle(pane: Pane, state: DashboardState) -> DashboardState:
    if state.pane is pane:
        return replace(_show(state, Pane.LOGS), focus=Focus.SERVICES)
    shown = _show(state, pane)
    return replace(shown, focus=Focus.PANE) if pane is Pane.HELP else shown


def _enter(state: DashboardState, _: Reach) -> DashboardState:
    if state.focus is Focus.PANE:
        return state
    shown = state if state.pane is not Pane.NONE else _show(state, Pane.LOGS)
    return replace(shown, focus=Focus.PANE)


def _switch_focus(state: DashboardState, _: Reach) -> DashboardState:
    if state.focus is Focus.PANE:
        return replace(state, focus=Focus.SERVICES)
    return _enter(state, Reach())


def _go_back(state: DashboardState, _: Reach) -> DashboardState:
    """The innermost of what was opened goes first; what is said until then, before that."""
    if state.message is not None and state.message.stays:
        return replace(state, message=None)
    if state.log_filter and (state.focus is Focus.PANE or state.pane is Pane.ALL_LOGS):
        return replace(state, log_filter="", scroll=Scroll())
    if state.pane in {Pane.HELP, Pane.GRAPH, Pane.ALL_LOGS}:
        return replace(_show(state, Pane.LOGS), focus=Focus.SERVICES)
    if state.focus is Focus.PANE:
        return replace(state, focus=Focus.SERVICES, scroll=Scroll())
    return replace(state, filter="", log_filter="", message=None)


def _to_end(state: DashboardState, reach: Reach, *, is_last: bool) -> DashboardState:
    if state.focus is Focus.SERVICES:
        return move(state, 1_000_000 if is_last else -1_000_000)
    if is_last and state.shows_logs:
        return replace(state, scroll=Scroll())
    return scroll(state, reach.end if is_last else -reach.end, reach)


_SHOWING: Final = {
    "up": lambda state, reach: _moved(state, -1, reach),
    "down": lambda state, reach: _moved(state, 1, reach),
    "page-up": lambda state, reach: _moved(state, -reach.page, reach),
    "page-down": lambda state, reach: _moved(state, reach.page, reach),
    "first": lambda state, reach: _to_end(state, reach, is_last=False),
    "last": lambda state, reach: _to_end(state, reach, is_last=True),
    "logs": _toggle_logs,
    "all-logs": lambda state, _: _toggle(Pane.ALL_LOGS, state),
    "graph": lambda state, _: _toggle(Pane.GRAPH, state),
    "help": lambda state, _: _toggle(Pane.HELP, state),
    "open": _enter,
    "focus": _switch_focus,
    "back": _go_back,
}


def _answer(state: DashboardState, prompt: Prompt, key: str, now: float) -> Answer:
    key = normal_key(key)
    if key in {"esc", "ctrl+c"}:
        closed = replace(state, prompt=None)
        is_filter = prompt.action == FILTER
        return (filter_by(closed, prompt.argument, "") if is_filter else closed), None
    if prompt.is_confirmation:
        if key == "y":
            return replace(state, prompt=None), Do(prompt.action, prompt.service, prompt.argument)
        return (replace(state, prompt=None) if key in _NO else state), None
    if prompt.answers:
        return _choose(state, prompt, key)
    if key == "enter":
        closed = replace(state, prompt=None)
        return (
            _decide(closed, prompt, now) if prompt.choices is None else _take(closed, prompt, now)
        )
    return edit(state, prompt, key), None


_NO: Final = frozenset({"n", "q", "enter"})


def _choose(state: DashboardState, prompt: Prompt, key: str) -> Answer:
    """The answer that has the key; enter is that which does nothing, as everywhere else."""
    if key in {DECLINING, "enter"}:
        return replace(state, prompt=None), None
    if not any(each.key == key for each in prompt.answers):
        return state, None
    return replace(state, prompt=None), Do(prompt.action, prompt.service, key)


def _take(state: DashboardState, prompt: Prompt, now: float) -> Answer:
    """The choice under the cursor."""
    fitting = prompt.fitting
    if not fitting:
        return state, None
    chosen = fitting[min(prompt.chosen, len(fitting) - 1)]
    if prompt.action == PALETTE:
        action = next(each for each in ACTIONS if each.title == chosen)
        return act(state, action, now, Reach())
    return state, Do(prompt.action, prompt.service, chosen)


def _decide(state: DashboardState, prompt: Prompt, now: float) -> Answer:
    """What was typed."""
    text = prompt.text.strip()
    if prompt.action == FILTER:
        return state, None
    if prompt.action == "scale" and not text.isdecimal():
        said = say(state, f"`{text}` is not a number", now, Tone.BAD) if text else state
        return said, None
    return state, Do(prompt.action, prompt.service, text)
