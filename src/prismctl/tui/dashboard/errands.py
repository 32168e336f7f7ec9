"""What the dashboard has done by others, for each action that is not a matter of what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.present.text import Tone
from prismctl.present.wording import component_title
from prismctl.tui.dashboard.questions import ask_for_key, confirm, offer
from prismctl.tui.dashboard.state import DashboardState, say

if TYPE_CHECKING:
    from prismctl.tui.dashboard.doing import Doing, Foreground, Question
    from prismctl.tui.dashboard.state import Do

Ask = Callable[[DashboardState, float], DashboardState]
"""Puts a question, or says why there is none; by the clock."""


@dataclass(frozen=True, slots=True)
class Work:
    """Something that is done in a thread, and said in words then; unless it leads to a question first."""

    busy: str
    """What is being done, in words."""
    run: Callable[[], str | Ask]
    is_last: bool = False
    """After it there is nothing left to show."""
    about: str = ""
    """The service that is not there before it."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Something that is found out in a thread, and leads to a question."""

    busy: str
    run: Callable[[], Ask]


@dataclass(frozen=True, slots=True)
class Lending:
    """A program that gets the terminal."""

    make: Callable[[], Foreground]


Errand = Work | Inquiry | Lending


def plan_errand(asked: Do, doing: Doing, *, log_source: str) -> Errand:
    """What is to be done for an action.

    Args:
        asked: with an argument, it was asked about already.
        doing: who does it.
        log_source: the service whose logs are shown; empty for all.
    """
    return _ERRANDS[asked.action](asked, doing, log_source)


def _restart(asked: Do, doing: Doing, _: str) -> Errand:
    return Work(f"restarting {asked.service}", lambda: doing.restart(asked.service))


def _scale(asked: Do, doing: Doing, _: str) -> Errand:
    number = int(asked.argument)
    return Work(f"scaling {asked.service} to {number}", lambda: doing.scale(asked.service, number))


def _stop_service(asked: Do, doing: Doing, _: str) -> Errand:
    if asked.argument:
        return Work(f"taking {asked.service} out", lambda: doing.stop_service(asked.service))
    return Inquiry(
        f"looking what needs {asked.service}",
        lambda: _asking(asked, doing.ask_to_stop(asked.service)),
    )


def _end_holder(asked: Do, doing: Doing, _: str) -> Errand:
    service = asked.service
    if asked.argument:
        return Work(f"freeing the port of {service}", lambda: doing.end_holder(service))
    return Inquiry(
        f"looking who has the port of {service}",
        lambda: _asking(
            asked,
            doing.ask_to_end_holder(service),
            otherwise=f"nobody else has a port of {service}",
        ),
    )


def _add(asked: Do, doing: Doing, _: str) -> Errand:
    if asked.argument and asked.service:
        # The service was named before; this is what somebody wants done about what is in its way.
        return _adding(doing, asked.service, asked.argument)
    if asked.argument:
        return _adding(doing, asked.argument)

    def look() -> Ask:
        offered = doing.list_addable()
        if not offered:
            return lambda state, now: say(state, "all services of the catalog run", now)
        return lambda state, _: offer(state, "add", "add which service?", offered)

    return Inquiry("looking at the catalog", look)


def _adding(doing: Doing, service: str, answer: str = "") -> Work:
    def add() -> str | Ask:
        come_of_it = doing.add(service, answer)
        if isinstance(come_of_it, str):
            return come_of_it
        return lambda state, _: ask_for_key(state, "add", come_of_it, service)

    return Work(f"adding {service}", add, about=service)


def _open_ui(asked: Do, doing: Doing, _: str) -> Errand:
    def open_it() -> str | Ask:
        come_of_it = doing.open_ui(asked.action)
        if isinstance(come_of_it, str):
            return come_of_it
        # On a line of its own, where a terminal knows it for a link.
        words = f"open this in a browser:\n{come_of_it.url}"
        return lambda state, now: say(state, words, now, stays=True)

    return Work(f"opening {component_title(asked.action)}'s UI", open_it)


def _stop_stack(_: Do, doing: Doing, __: str) -> Errand:
    return Work("stopping the stack", doing.stop_stack, is_last=True)


def _run_beside(asked: Do, doing: Doing, _: str) -> Errand:
    return Lending(lambda: doing.run_beside(asked.service, asked.argument))


def _open_logs(asked: Do, doing: Doing, log_source: str) -> Errand:
    return Lending(lambda: doing.open_logs(log_source, asked.action))


def _asking(asked: Do, question: Question | None, *, otherwise: str = "") -> Ask:
    if question is None:
        return lambda state, now: say(state, otherwise, now)
    if question.obstacle:
        return lambda state, now: say(state, question.obstacle, now, Tone.BAD)
    return lambda state, _: confirm(
        state, asked.action, question.words, asked.service, argument="yes"
    )


_ERRANDS = {
    "restart": _restart,
    "scale": _scale,
    "stop-service": _stop_service,
    "end-holder": _end_holder,
    "add": _add,
    "nomad": _open_ui,
    "consul": _open_ui,
    "stop-stack": _stop_stack,
    "exec": _run_beside,
    "pager": _open_logs,
    "editor": _open_logs,
}
