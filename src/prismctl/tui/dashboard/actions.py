"""What can be done in the dashboard: one registry that keys, help, palette, footer and reference page are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prismctl.domain.problems import nearest_name
from prismctl.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Section(StrEnum):
    """Where the help lists an action."""

    SERVICE = "The selected service"
    STACK = "The stack"
    VIEW = "What is shown"
    MOVE = "Moving"
    DASHBOARD = "The dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a key does."""

    id: str
    """What settings call it; renaming one is a breaking change."""
    keys: tuple[str, ...]
    """As a person writes them: ``r``, ``X``, ``ctrl+u``, ``space``."""
    title: str
    """For the footer and the palette, one or two words."""
    words: str
    """For the help, one line."""
    section: Section
    changes: bool = False
    """It changes the stack, and is refused by ``--read-only``."""
    needs_service: bool = False
    asks: bool = False
    """It is done only after a yes."""


ACTIONS: Final = (
    Action(
        id="restart",
        keys=("r",),
        title="restart",
        words="restart it; its data stays",
        section=Section.SERVICE,
        changes=True,
        needs_service=True,
    ),
    Action(
        id="scale",
        keys=("s",),
        title="scale",
        words="run another number of it",
        section=Section.SERVICE,
        changes=True,
        needs_service=True,
    ),
    Action(
        id="stop-service",
        keys=("x",),
        title="take out",
        words="stop it: take it out of the stack, with what needs it",
        section=Section.SERVICE,
        changes=True,
        needs_service=True,
        asks=True,
    ),
    Action(
        id="end-holder",
        keys=("k",),
        title="kill holder",
        words="end the process that has its port, and start it again",
        section=Section.SERVICE,
        changes=True,
        needs_service=True,
        asks=True,
    ),
    Action(
        id="exec",
        keys=("e",),
        title="exec",
        words="a shell or a command beside it, with the stack's addresses in its environment",
        section=Section.SERVICE,
        changes=True,
        needs_service=True,
    ),
    Action(
        id="add",
        keys=("a",),
        title="add",
        words="add a service to the stack, with what it needs",
        section=Section.STACK,
        changes=True,
    ),
    Action(
        id="stop-stack",
        keys=("X",),
        title="stop stack",
        words="stop the whole stack",
        section=Section.STACK,
        changes=True,
        asks=True,
    ),
    Action(
        id="start-again",
        keys=("S",),
        title="start again",
        words="start a stack that was stopped from elsewhere",
        section=Section.STACK,
        changes=True,
    ),
    Action(
        id="nomad",
        keys=("n",),
        title="Nomad",
        words="open Nomad's UI, logged in",
        section=Section.STACK,
    ),
    Action(
        id="consul",
        keys=("c",),
        title="Consul",
        words="open Consul's UI",
        section=Section.STACK,
    ),
    Action(
        id="logs",
        keys=("l",),
        title="logs",
        words="show its logs, or hide them; of one that failed, go between logs and what to try",
        section=Section.VIEW,
    ),
    Action(
        id="card",
        keys=("w",),
        title="what went wrong",
        words="how it last went wrong, with its last lines, and what to try, also of one that is up again",
        section=Section.VIEW,
        needs_service=True,
    ),
    Action(
        id="all-logs",
        keys=("L",),
        title="all logs",
        words="the logs of all services, merged by time",
        section=Section.VIEW,
    ),
    Action(
        id="graph",
        keys=("d",),
        title="graph",
        words="what needs what, with the state of each",
        section=Section.VIEW,
    ),
    Action(
        id="filter",
        keys=("/",),
        title="filter",
        words="only services, or lines of logs, with these words; esc shows all again",
        section=Section.VIEW,
    ),
    Action(
        id="failed",
        keys=("f",),
        title="failed",
        words="go to the next service that is not well",
        section=Section.MOVE,
    ),
    Action(
        id="pager",
        keys=("o",),
        title="pager",
        words="its logs in $PAGER",
        section=Section.VIEW,
    ),
    Action(
        id="editor",
        keys=("E",),
        title="editor",
        words="its logs in $EDITOR",
        section=Section.VIEW,
    ),
    Action(
        id="copy",
        keys=("y",),
        title="copy",
        words="copy the line of the log, or all that is shown of it, to the clipboard",
        section=Section.VIEW,
    ),
    Action(id="up", keys=("up",), title="up", words="up", section=Section.MOVE),
    Action(id="down", keys=("down", "j"), title="down", words="down", section=Section.MOVE),
    Action(
        id="page-up", keys=("pageup",), title="page up", words="a page up", section=Section.MOVE
    ),
    Action(
        id="page-down",
        keys=("pagedown", "space"),
        title="page down",
        words="a page down",
        section=Section.MOVE,
    ),
    Action(
        id="first", keys=("g", "home"), title="first", words="to the first", section=Section.MOVE
    ),
    Action(
        id="last",
        keys=("G", "end"),
        title="last",
        words="to the last; logs are followed again",
        section=Section.MOVE,
    ),
    Action(
        id="focus",
        keys=("tab",),
        title="services/logs",
        words="between the services and what is shown below them",
        section=Section.MOVE,
    ),
    Action(
        id="open",
        keys=("enter",),
        title="open",
        words="go into its logs",
        section=Section.MOVE,
    ),
    Action(
        id="palette",
        keys=(":",),
        title="palette",
        words="all of this, found by its name",
        section=Section.DASHBOARD,
    ),
    Action(id="help", keys=("?",), title="help", words="this", section=Section.DASHBOARD),
    Action(
        id="back",
        keys=("esc",),
        title="back",
        words="end a question, a filter, or what was opened",
        section=Section.DASHBOARD,
    ),
    Action(
        id="leave",
        keys=("q", "ctrl+c"),
        title="leave",
        words="leave; the stack runs on",
        section=Section.DASHBOARD,
    ),
)
BY_ID: Final = {action.id: action for action in ACTIONS}

_SPELLINGS: Final = {
    "escape": "esc",
    # What was typed while the terminal still belonged to the shell has another enter.
    "ctrl+j": "enter",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
}
"""Names under which people and libraries know keys, and the one that is used here."""


@dataclass(frozen=True, slots=True)
class Keymap:
    """Which key does what."""

    actions: Mapping[str, Action]
    """By key."""
    keys: Mapping[str, tuple[str, ...]]
    """By the action's id."""

    def find(self, key: str) -> Action | None:
        """What a key does."""
        return self.actions.get(normal_key(key))

    def first_key(self, action_id: str) -> str:
        """The key that is shown for an action; empty where it has none."""
        keys = self.keys.get(action_id, ())
        return keys[0] if keys else ""


def normal_key(key: str) -> str:
    """The one spelling of a key."""
    key = key.strip() or "space"
    return _SPELLINGS.get(key.lower(), key if len(key) == 1 else key.lower())


def make_keymap(chosen: Mapping[str, str] | None = None) -> Keymap:
    """The keys, those of settings in place of the usual ones; several are written with commas, none as ``none``.

    Raises:
        ConfigError: a setting names no action, or one key is given to two; all of them are told.
    """
    problems: list[Problem] = []
    keys = {action.id: action.keys for action in ACTIONS}
    for action_id, text in (chosen or {}).items():
        if action_id not in BY_ID:
            suggestion = nearest_name(action_id, BY_ID)
            problems.append(
                Problem(
                    message=f"keys: `{action_id}` is nothing that the dashboard does",
                    suggestion=suggestion,
                )
            )
            continue
        given = [normal_key(word) for word in text.split(",") if word.strip()] or [normal_key(text)]
        keys[action_id] = () if given == ["none"] else tuple(given)
    # A key that a setting takes is no longer what it usually is.
    taken = {key for action_id in chosen or {} for key in keys.get(action_id, ())}
    actions: dict[str, Action] = {}
    for action in ACTIONS:
        is_chosen = action.id in (chosen or {})
        own = tuple(key for key in keys[action.id] if is_chosen or key not in taken)
        keys[action.id] = own
        for key in own:
            if key in actions:
                problems.append(
                    Problem(
                        message=f"keys: `{key}` is given to both {actions[key].id} and {action.id}"
                    )
                )
            actions[key] = action
    if problems:
        raise ConfigError(tuple(problems), hint=f"there is: {', '.join(BY_ID)}")
    return Keymap(actions, keys)
