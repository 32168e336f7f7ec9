"""The questions at the bottom of the dashboard: what is asked, and what typing makes of an answer; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.tui.dashboard.actions import ACTIONS
from prismctl.tui.dashboard.state import Focus, Pane, Prompt, Scroll, find_service, select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.tui.dashboard.doing import KeyQuestion
    from prismctl.tui.dashboard.state import DashboardState

LONGEST_ANSWER: Final = 500
FILTER: Final = "filter"
PALETTE: Final = "palette"
DECLINING: Final = "q"
"""The key of the answer that leaves everything as it is."""


def _ask_filter(state: DashboardState, _: str) -> DashboardState:
    # Logs of all services are looked at for their lines, whatever the arrows move in.
    is_of_logs = state.pane is Pane.ALL_LOGS or (
        state.focus is Focus.PANE and state.pane is Pane.LOGS
    )
    return replace(
        state,
        prompt=Prompt(
            action=FILTER,
            question="lines with" if is_of_logs else "services with",
            text=state.log_filter if is_of_logs else state.filter,
            argument="logs" if is_of_logs else "services",
        ),
    )


def _ask_number(state: DashboardState, service: str) -> DashboardState:
    found = find_service(state, service) or {}
    wanted = (found.get("replicas") or {}).get("wanted", 1)
    return replace(
        state,
        prompt=Prompt(
            action="scale",
            question=f"how many of {service}?",
            service=service,
            placeholder=f"{wanted} now",
        ),
    )


def _ask_command(state: DashboardState, service: str) -> DashboardState:
    return replace(
        state,
        prompt=Prompt(
            action="exec",
            question=f"command beside {service}",
            service=service,
            placeholder="enter alone: a shell",
        ),
    )


def _ask_to_stop_stack(state: DashboardState, _: str) -> DashboardState:
    count = len(state.services)
    return confirm(state, "stop-stack", f"stop the whole stack {state.stack}, {count} services?")


def _ask_palette(state: DashboardState, _: str) -> DashboardState:
    offered = [action for action in ACTIONS if action.id not in _NOT_OFFERED]
    return replace(
        state,
        prompt=Prompt(
            action=PALETTE,
            question=":",
            choices=tuple(action.title for action in offered),
            hints={action.title: action.words for action in offered},
            marks={action.title: state.keymap.first_key(action.id) for action in offered},
        ),
    )


_NOT_OFFERED: Final = frozenset({"palette", "up", "down", "page-up", "page-down", "back", "open"})


ASKING: Final = {
    FILTER: _ask_filter,
    "scale": _ask_number,
    "exec": _ask_command,
    "stop-stack": _ask_to_stop_stack,
    PALETTE: _ask_palette,
}
"""What asks for something before it is done, by the action\'s id."""


def confirm(
    state: DashboardState, action: str, question: str, service: str = "", argument: str = ""
) -> DashboardState:
    """Ask whether to go on."""
    return replace(
        state,
        prompt=Prompt(
            action=action,
            question=question,
            service=service,
            argument=argument,
            is_confirmation=True,
        ),
    )


def ask_for_key(
    state: DashboardState, action: str, question: KeyQuestion, service: str
) -> DashboardState:
    """Ask what to do by one of some keys; the one that was pressed is the argument of what is done then."""
    return replace(
        state,
        prompt=Prompt(
            action=action, question=question.words, service=service, answers=question.answers
        ),
    )


def offer(
    state: DashboardState, action: str, question: str, choices: Mapping[str, str]
) -> DashboardState:
    """Ask which of some things, each with words about it."""
    return replace(
        state,
        prompt=Prompt(
            action=action, question=question, choices=tuple(choices), hints=dict(choices)
        ),
    )


def edit(state: DashboardState, prompt: Prompt, key: str) -> DashboardState:
    """What was typed after one more key; the arrows go through choices."""
    if key in {"up", "down"} and prompt.choices is not None:
        most = max(0, len(prompt.fitting) - 1)
        chosen = max(0, min(most, prompt.chosen + (1 if key == "down" else -1)))
        return replace(state, prompt=replace(prompt, chosen=chosen))
    text = prompt.text
    if key in {"backspace", "ctrl+h"}:
        text = text[:-1]
    elif key == "ctrl+u":
        text = ""
    elif key == "ctrl+w":
        text = text.rstrip().rpartition(" ")[0]
    elif key == "space":
        text += " "
    elif len(key) == 1 and key.isprintable():
        text += key
    return type_in(state, text, is_whole=True)


def type_in(state: DashboardState, text: str, *, is_whole: bool = False) -> DashboardState:
    """Text typed or pasted into what is asked; a filter holds while it is typed."""
    prompt = state.prompt
    if prompt is None or prompt.is_confirmation or prompt.answers:
        return state
    text = (text if is_whole else prompt.text + " ".join(text.split()))[:LONGEST_ANSWER]
    state = replace(state, prompt=replace(prompt, text=text, chosen=0))
    return filter_by(state, prompt.argument, text) if prompt.action == FILTER else state


def filter_by(state: DashboardState, what: str, words: str) -> DashboardState:
    """Show only ``services``, or lines of ``logs``, with some words."""
    if what == "logs":
        return replace(state, log_filter=words, scroll=Scroll())
    found = replace(state, filter=words)
    names = [str(service["name"]) for service in found.shown]
    return found if not names or found.selected in names else select(found, names[0])
