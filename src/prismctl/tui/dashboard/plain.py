"""The dashboard in lines, for screen readers and pipes: what changes is said, what is typed is done."""

from __future__ import annotations

import queue
import shlex
import threading
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.present.port_words import main_port_of
from prismctl.present.reason import note_of
from prismctl.present.standing import describe_standing
from prismctl.present.text import clean
from prismctl.present.units import render_bytes
from prismctl.tui.dashboard import arrivals
from prismctl.tui.dashboard.actions import BY_ID
from prismctl.tui.dashboard.feeds import Mailbox
from prismctl.tui.dashboard.header import notes_of, verdict_of
from prismctl.tui.dashboard.log_view import text_of_log
from prismctl.tui.dashboard.logbook import Logbook
from prismctl.tui.dashboard.questions import DECLINING
from prismctl.tui.dashboard.rows import render_rate
from prismctl.tui.dashboard.state import Link, find_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TextIO

    from prismctl.tui.dashboard.doing import Doing
    from prismctl.tui.dashboard.state import DashboardState

LOG_LINES: Final = 20
HELP: Final = (
    "status: all services, a line each",
    "logs NAME: the last lines that it printed",
    "restart NAME · scale NAME NUMBER · stop NAME · add NAME · kill NAME: change the stack",
    "nomad, consul: an address at which the UI is logged in",
    "stop-stack: stop all of it",
    "quit: leave; the stack runs on",
)


def change_lines(before: DashboardState, after: DashboardState) -> list[str]:
    """What is different, in words; figures that move all the time are not."""
    if before.status is None and after.status is not None:
        return overview_lines(after)
    lines: list[str] = []
    if after.link is not before.link:
        if after.link is Link.STALE:
            why = after.loss.reason if after.loss is not None else "nobody answers"
            lines.append(f"stale: {clean(why)}; trying again")
        elif after.link is Link.STOPPED:
            lines.append(f"stack {clean(after.stack)} was stopped")
        elif before.link is Link.STALE:
            lines.append("connected again")
    status, earlier = after.status or {}, before.status or {}
    if status.get("state") != earlier.get("state"):
        lines.append(f"stack {clean(after.stack)} is {status.get('state')}")
    names = {str(service["name"]) for service in after.services}
    for service in after.services:
        was = find_service(before, str(service["name"]))
        name = clean(str(service["name"]))
        if was is None:
            lines.append(f"{name} was added, and is {service['state']}")
        elif _facts(was) != _facts(service):
            lines.append(service_line(service))
    lines += [
        f"{clean(str(service['name']))} was taken out"
        for service in before.services
        if str(service["name"]) not in names
    ]
    return lines


def _facts(service: Mapping[str, Any]) -> tuple[object, ...]:
    replicas = service.get("replicas") or {}
    return service["state"], replicas.get("wanted"), service.get("restarts")


def service_line(service: Mapping[str, Any]) -> str:
    """A service in one line: how it is, where, why it is not well, how much it does."""
    parts = [f"{clean(str(service['name']))} is {service['state']}"]
    replicas = service.get("replicas") or {}
    if (replicas.get("wanted") or 1) != 1:
        parts.append(f"{replicas.get('healthy', 0)} of {replicas['wanted']} instances")
    port = main_port_of(service)
    if port:
        parts.append(f"port {port}")
    why = note_of(service)
    if why:
        parts.append(why)
    if service.get("requests_per_second") is not None:
        parts.append(render_rate(service))
    if service.get("memory_bytes"):
        parts.append(render_bytes(service["memory_bytes"]))
    if service.get("restarts"):
        count = service["restarts"]
        parts.append("restarted once" if count == 1 else f"restarted {count} times")
    return ", ".join(parts)


def overview_lines(state: DashboardState) -> list[str]:
    """All of it, a line each."""
    word, _, _ = verdict_of(state, state.status or {})
    status = state.status or {}
    words, _ = describe_standing(status)
    notes = notes_of(status)
    return [
        f"stack {clean(state.stack)} is {word}, {len(state.services)} services",
        *(each for each in (words, notes) if each),
        *(service_line(service) for service in state.services),
    ]


class _News(Enum):
    """What is to be looked at, besides what was typed."""

    DELIVERY = auto()
    END_OF_INPUT = auto()


class PlainDashboard:
    """Reads what came and what was typed, in turn, and writes lines."""

    def __init__(
        self,
        state: DashboardState,
        doing: Doing,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self.logbook = Logbook()
        self._doing = doing
        self._write = write
        self._clock = clock
        self._arrived: queue.Queue[str | _News] = queue.Queue()
        """What was typed, and what else there is to be looked at."""
        self.mailbox = Mailbox(lambda: self._arrived.put(_News.DELIVERY))
        self._asked: Callable[[str], str] | None = None
        """What is done with the answer."""
        self._is_over = False
        self._is_heard = False
        """Whether there is anybody who could type."""

    def run(self, typed: TextIO | None) -> None:
        """Go on until somebody leaves or the stack is stopped."""
        self._is_heard = typed is not None
        if typed is not None:
            threading.Thread(target=self._read, args=(typed,), daemon=True).start()
        while not self._is_over:
            arrived = self._arrived.get()
            if arrived is _News.DELIVERY:
                self.take_delivery()
            elif arrived is _News.END_OF_INPUT:
                # Whatever is asked, nobody will answer it.
                self._is_over = True
            else:
                self.do(arrived)

    def _read(self, typed: TextIO) -> None:
        for words in typed:
            self._arrived.put(words)
        self._arrived.put(_News.END_OF_INPUT)

    def take_delivery(self) -> None:
        """Say what is different."""
        delivery = self.mailbox.take()
        before = self.state
        self.logbook.add(delivery.lines)
        self.logbook.is_read = self.logbook.is_read or delivery.has_read_logs
        if delivery.status is not None:
            self.state = arrivals.take_status(self.state, delivery.status, self._clock())
        if delivery.loss is not None:
            self.state = arrivals.lose(self.state, delivery.loss, self._clock())
        for words in change_lines(before, self.state):
            self._write(words)
        if self._is_heard and before.status is None and self.state.status is not None:
            self._write("type help for what can be done")
        if self.state.link is Link.STOPPED:
            self._is_over = True

    def do(self, typed: str) -> None:
        """Do what was typed, and say what came of it."""
        try:
            words = shlex.split(typed)
            said = self._answer(words) if self._asked is not None else self._do(words)
        except (PrismError, ValueError) as error:
            said = error.message if isinstance(error, PrismError) else str(error)
        for text in said.splitlines():
            self._write(text)

    def _answer(self, words: list[str]) -> str:
        asked, self._asked = self._asked, None
        if asked is None or len(words) != 1:
            return _NOTHING
        return asked(words[0].lower())

    def _do(self, words: list[str]) -> str:
        command, *names = words or [""]
        if command in {"quit", "q", "leave"}:
            self._is_over = True
            return ""
        if command == "status":
            return "\n".join(overview_lines(self.state))
        if command == "logs":
            return self._logs(names)
        if command in _CHANGES:
            return self._change(command, names)
        if command in {"nomad", "consul"}:
            opened = self._doing.open_ui(command)
            return opened if isinstance(opened, str) else f"open this: {opened.url}"
        return (
            "\n".join(HELP) if command in {"help", "?"} else f"{command}: type help" * bool(words)
        )

    def _logs(self, names: list[str]) -> str:
        ring = self.logbook.ring(names[0] if names else "")
        lines = ring.all()[-LOG_LINES:]
        return "\n".join(text_of_log(each, has_source=not names) for each in lines) or (
            "nothing" if self.logbook.is_read else "not read yet; ask again in a moment"
        )

    def _change(self, command: str, names: list[str]) -> str:
        action = BY_ID[_CHANGES[command]]
        if self.state.is_read_only:
            return f"{command}: this dashboard is read-only"
        needed = {"scale": 2, "stop-stack": 0}.get(command, 1)
        if len(names) != needed:
            return f"{command}: type help for what belongs to it"
        if command == "restart":
            return self._doing.restart(names[0])
        if command == "scale":
            return self._scale(*names)
        if command == "add":
            return self._add(names[0])
        return self._ask(action.id, names)

    def _scale(self, name: str, number: str) -> str:
        if not number.isdecimal():
            return f"scale: `{clean(number)}` is not a number"
        return self._doing.scale(name, int(number))

    def _add(self, name: str, answer: str = "") -> str:
        come_of_it = self._doing.add(name, answer)
        if isinstance(come_of_it, str):
            return come_of_it
        keys = {choice.key for choice in come_of_it.answers} - {DECLINING}
        self._asked = lambda typed: self._add(name, typed) if typed in keys else _NOTHING
        offered = [f"type {each.key}: {clean(each.words)}" for each in come_of_it.answers]
        return "\n".join([clean(come_of_it.words), *offered])

    def _ask(self, action: str, names: list[str]) -> str:
        doing = self._doing
        if action == "stop-stack":
            self._asked = _after_yes(doing.stop_stack)
            return f"stop the whole stack {clean(self.state.stack)}? type yes"
        name = names[0]
        question = (
            doing.ask_to_stop(name) if action == "stop-service" else doing.ask_to_end_holder(name)
        )
        if question is None:
            return f"nobody else has a port of {name}"
        if question.obstacle:
            return question.obstacle
        carry_out = doing.stop_service if action == "stop-service" else doing.end_holder
        self._asked = _after_yes(lambda: carry_out(name))
        return f"{question.words} type yes"


_NOTHING: Final = "nothing was done"


def _after_yes(carry_out: Callable[[], str]) -> Callable[[str], str]:
    return lambda typed: carry_out() if typed in {"y", "yes"} else _NOTHING


_CHANGES: Final = {
    "restart": "restart",
    "scale": "scale",
    "add": "add",
    "stop": "stop-service",
    "kill": "end-holder",
    "stop-stack": "stop-stack",
}
"""What can be typed, and the action that it is."""
