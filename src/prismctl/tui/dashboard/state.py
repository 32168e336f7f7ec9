"""What the dashboard knows and shows, and what a document or a lost connection makes of it; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.trouble import find_to_blame, is_ill
from prismctl.present.failure import find_missing, has_run
from prismctl.present.text import Tone
from prismctl.tui.dashboard.actions import Keymap, make_keymap

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from prismctl.present.question import Choice
    from prismctl.tui.dashboard.feeds import Loss

HISTORY_POINTS: Final = 40
"""How many measurements a sparkline has at most."""
HISTORY_SECONDS: Final = 0.9
"""Measurements that follow each other faster are one."""
CALM_SECONDS: Final = 3.0
"""After a key, the cursor stays where somebody put it for so long, whatever fails."""
MESSAGE_SECONDS: Final = 8.0


class Link(StrEnum):
    """What there is between the dashboard and the daemon."""

    OPENING = "opening"
    LIVE = "live"
    STALE = "stale"
    """Nobody answers; what is shown is what was."""
    STOPPED = "stopped"
    """The stack was taken down."""


class Pane(StrEnum):
    """What is below the services."""

    LOGS = "logs"
    """Of the selected service; in their place what went wrong, while it is not well."""
    ALL_LOGS = "all logs"
    GRAPH = "graph"
    HELP = "help"
    NONE = "none"


class Focus(StrEnum):
    """What the arrows move in."""

    SERVICES = "services"
    PANE = "pane"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A question at the bottom, which has the keyboard until it is answered."""

    action: str
    """What the answer is for, by its id."""
    question: str
    text: str = ""
    """What was typed."""
    service: str = ""
    choices: tuple[str, ...] | None = None
    """What can be chosen; ``None`` where anything can be typed, or only yes and no."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """Words about choices."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The key that does the same as a choice."""
    chosen: int = 0
    """Among the choices that fit what was typed."""
    is_confirmation: bool = False
    answers: tuple[Choice, ...] = ()
    """Keys of which one is the answer, where yes and no are not enough."""
    argument: str = ""
    """What is done after a yes."""
    placeholder: str = ""

    @property
    def fitting(self) -> tuple[str, ...]:
        """The choices that fit what was typed, the best first."""
        text = self.text.lower().strip()
        ranks = {each: self._rank(each, text) for each in self.choices or ()}
        fits = [each for each in ranks if ranks[each] is not None]
        return tuple(sorted(fits, key=lambda each: ranks[each] or 0))

    def _rank(self, choice: str, text: str) -> int | None:
        """How well a choice fits, 0 is best; ``None``: it does not."""
        name, hint = choice.lower(), self.hints.get(choice, "").lower()
        if name.startswith(text):
            return 0
        if text in name:
            return 1
        if text in hint:
            return 2
        return 3 if all(word in f"{name} {hint}" for word in text.split()) else None


@dataclass(frozen=True, slots=True)
class Message:
    """What was done, or why not."""

    words: str
    """Each line of them begins one on the screen."""
    tone: Tone = Tone.PLAIN
    at: float = 0.0
    about: str = ""
    """A service that could not be added: once it is there, this is no news any more."""
    stays: bool = False
    """Until it is taken away, or something else is said: somebody has to do something with it."""


@dataclass(frozen=True, slots=True)
class Do:
    """What a key asks for that is not a matter of what is shown."""

    action: str
    service: str = ""
    argument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scroll:
    """Where in a pane one is."""

    line: int | None = None
    """The line under the cursor, by its number in the ring or from the pane's top; ``None``: at the end, and following."""
    top: int = 0
    """The first line in view, where one does not follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardState:
    """All that a frame is drawn from, but the lines of logs."""

    stack: str = "default"
    is_read_only: bool = False
    keymap: Keymap = field(default_factory=make_keymap)
    status: Mapping[str, Any] | None = None
    status_at: float = 0.0
    """When it came, by a clock that only goes forward."""
    link: Link = Link.OPENING
    loss: Loss | None = None
    history: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Requests a second by service, oldest first."""
    history_at: float = float("-inf")
    report: Mapping[str, Any] | None = None
    """What the start took."""
    selected: str = ""
    filter: str = ""
    """Of the services."""
    log_filter: str = ""
    pane: Pane = Pane.LOGS
    shows_logs_of_ill: bool = False
    """The logs of a service that is not well were asked for in place of what to try."""
    shows_card_of_well: bool = False
    """How a service last went wrong that is well again was asked for in place of its logs."""
    focus: Focus = Focus.SERVICES
    scroll: Scroll = field(default_factory=Scroll)
    prompt: Prompt | None = None
    message: Message | None = None
    busy: tuple[str, ...] = ()
    """What is being done, in words."""
    key_at: float = float("-inf")
    """When somebody pressed a key."""

    @property
    def services(self) -> Sequence[Mapping[str, Any]]:
        """Those of the status document, in start order."""
        return (self.status or {}).get("services") or ()

    @property
    def shown(self) -> list[Mapping[str, Any]]:
        """The services that pass the filter."""
        words = self.filter.lower().split()
        return [
            service
            for service in self.services
            if all(
                word in f"{service['name']} {service['state']} {service.get('runtime')}".lower()
                for word in words
            )
        ]

    @property
    def service(self) -> Mapping[str, Any] | None:
        """The selected one."""
        return find_service(self, self.selected)

    @property
    def shows_card(self) -> bool:
        """Whether the pane says what went wrong with the selected service, and what to try."""
        service = self.service
        if self.pane is not Pane.LOGS or service is None:
            return False
        return not self.shows_logs_of_ill if is_ill(service) else self.shows_card_of_well

    @property
    def shows_logs(self) -> bool:
        """Whether the pane has lines that come and go, whose end one can follow."""
        return self.pane in {Pane.LOGS, Pane.ALL_LOGS} and not self.shows_card


def find_service(state: DashboardState, name: str) -> Mapping[str, Any] | None:
    """The service of that name."""
    return next((each for each in state.services if each["name"] == name), None)


_PORT_WORDS: Final = ("address already in use", "eaddrinuse", "port is already", "is in use")


def is_about_port(service: Mapping[str, Any]) -> bool:
    """Whether a service went wrong because somebody else has its port."""
    said = f"{service.get('reason')} {service.get('last_error')}".lower()
    return bool(service) and is_ill(service) and any(words in said for words in _PORT_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What moving needs to know of the screen."""

    page: int = 10
    """How far a page is."""
    height: int = 10
    """How many lines of the pane are seen."""
    first: int = 0
    """The number of the pane's first line."""
    end: int = 0
    """That of the line after its last."""


# What comes from the daemon.


def take_status(state: DashboardState, document: Mapping[str, Any], now: float) -> DashboardState:
    """A newer document; the cursor goes to what has just failed, if nobody is busy elsewhere."""
    before = {service["name"]: is_ill(service) for service in state.services}
    is_first = state.status is None
    was_away = state.link in {Link.STALE, Link.STOPPED}
    was_reading = state.shows_card and state.focus is Focus.PANE
    state = replace(state, status=document, status_at=now, link=Link.LIVE, loss=None)
    if was_reading and not state.shows_card:
        # That a service is well again takes nothing away from under somebody's eyes.
        state = replace(state, shows_card_of_well=True)
    state = _take_figures(state, now)
    state = _forget_what_came_true(state, before, now)
    if was_away:
        state = say(state, "connected again", now, Tone.GOOD)
    names = [str(service["name"]) for service in state.services]
    fallen = [
        str(service["name"])
        for service in state.services
        if is_ill(service) and not before.get(str(service["name"]), False)
    ]
    # What failed by itself comes before what waits for it.
    fallen.sort(key=lambda name: (find_service(state, name) or {}).get("state") != "failed")
    selected = state.selected
    if selected not in names:
        selected = fallen[0] if fallen else names[0] if names else ""
    elif fallen and (is_first or _is_idle(state, now)) and not before.get(selected, False):
        selected = fallen[0]
    return select(state, selected) if selected != state.selected else state


def _forget_what_came_true(
    state: DashboardState, before: Container[str], now: float
) -> DashboardState:
    """What was said or asked about a service that was not there goes once somebody else has added it."""
    come = {name for each in state.services if (name := str(each["name"])) not in before}
    if state.message is not None and state.message.about in come:
        state = replace(state, message=None)
    if state.prompt is not None and state.prompt.answers and state.prompt.service in come:
        name = state.prompt.service
        state = say(replace(state, prompt=None), f"{name} was added from elsewhere", now)
    return state


def _is_idle(state: DashboardState, now: float) -> bool:
    return (
        now - state.key_at > CALM_SECONDS
        and state.prompt is None
        and state.focus is Focus.SERVICES
        and state.pane in {Pane.LOGS, Pane.NONE}
    )


def _take_figures(state: DashboardState, now: float) -> DashboardState:
    if now - state.history_at < HISTORY_SECONDS:
        return state
    history = {
        str(service["name"]): (
            *state.history.get(str(service["name"]), ())[-HISTORY_POINTS + 1 :],
            service.get("requests_per_second"),
        )
        for service in state.services
    }
    return replace(state, history=history, history_at=now)


def take_history(state: DashboardState, document: Mapping[str, Any]) -> DashboardState:
    """What was measured before the dashboard was opened."""
    measured = document.get("services") or {}
    history = dict(state.history)
    for name, series in measured.items():
        rates = tuple(series.get("requests_per_second") or ())
        history[name] = (*rates, *state.history.get(name, ()))[-HISTORY_POINTS:]
    return replace(state, history=history)


def lose(state: DashboardState, loss: Loss, now: float) -> DashboardState:
    """Nobody answers; what is shown stays, and says how old it is."""
    link = Link.STALE
    if loss.is_stopped:
        link = Link.STOPPED
        state = replace(state, status=_as_stopped(state.status))
    if state.link is Link.OPENING and not loss.is_stopped:
        return replace(state, loss=loss, status_at=state.status_at or now)
    return replace(state, link=link, loss=loss)


def _as_stopped(status: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The last document once nothing of it runs any more."""
    if status is None:
        return None
    services = [
        {
            **service,
            "state": "stopped",
            "reason": "",
            "last_error": None,
            "pid": None,
            **dict.fromkeys(_FIGURES),
        }
        for service in status.get("services") or ()
    ]
    return {**status, "services": services, "waiting": None, "memory_bytes": None}


_FIGURES: Final = (
    "memory_bytes", "cpu_percent", "requests_per_second", "errors_per_second", "latency_p95_seconds",
)  # fmt: skip


# What is shown.


def say(
    state: DashboardState,
    words: str,
    now: float,
    tone: Tone = Tone.PLAIN,
    *,
    about: str = "",
    stays: bool = False,
) -> DashboardState:
    """Show a message for a while; `Message` says what ``about`` and ``stays`` are."""
    return replace(state, message=Message(words, tone, now, about, stays))


def forget_message(state: DashboardState, now: float) -> DashboardState:
    """Take the message away once it was there long enough; what went wrong stays until the next key."""
    message = state.message
    if message is None or message.stays or message.tone is Tone.BAD:
        return state
    if now - message.at < MESSAGE_SECONDS:
        return state
    return replace(state, message=None)


def select(state: DashboardState, name: str) -> DashboardState:
    """Put the cursor on a service; its logs are followed."""
    if name == state.selected:
        return state
    keeps_scroll = state.pane in {Pane.ALL_LOGS, Pane.HELP}
    return replace(
        state,
        selected=name,
        shows_logs_of_ill=False,
        shows_card_of_well=False,
        scroll=state.scroll if keeps_scroll else Scroll(),
    )


def move(state: DashboardState, by: int) -> DashboardState:
    """The cursor some services further down, or up; it stops at the ends."""
    names = [str(service["name"]) for service in state.shown]
    if not names:
        return state
    if state.selected not in names:
        return select(state, names[0])
    there = max(0, min(len(names) - 1, names.index(state.selected) + by))
    return select(state, names[there])


def scroll(state: DashboardState, by: int, reach: Reach) -> DashboardState:
    """The cursor in the pane some lines further; past the last line of a log, it follows again."""
    if reach.end <= reach.first:
        return replace(state, scroll=Scroll())
    here, top = _place(state, reach)
    there = max(reach.first, here + by)
    if there >= reach.end - 1 and by > 0 and state.shows_logs:
        return replace(state, scroll=Scroll())
    there = min(there, reach.end - 1)
    top = max(reach.first, min(max(top, there - reach.height + 1), there, _lowest_top(reach)))
    return replace(state, scroll=Scroll(line=there, top=top))


def roll(state: DashboardState, by: int, reach: Reach) -> DashboardState:
    """What is in view of the pane some lines further, as the wheel asks for; at the end of a log, it follows again."""
    here, top = _place(state, reach)
    lowest = _lowest_top(reach)
    top = max(reach.first, min(top + by, lowest))
    if top == lowest and state.shows_logs and (by > 0 or lowest == reach.first):
        return replace(state, scroll=Scroll())
    line = max(top, min(here, top + reach.height - 1))
    return replace(state, scroll=Scroll(line=line, top=top))


def _lowest_top(reach: Reach) -> int:
    return max(reach.first, reach.end - reach.height)


def _place(state: DashboardState, reach: Reach) -> tuple[int, int]:
    """The line under the cursor, and the first in view."""
    if state.scroll.line is not None:
        return state.scroll.line, max(reach.first, state.scroll.top)
    if state.shows_logs:
        return reach.end - 1, _lowest_top(reach)
    return reach.first, reach.first


def next_ill(state: DashboardState) -> str:
    """The next service that is not well by itself, after the selected one; empty where all are well.

    From one that only lacks another, it is that other.
    """
    names = [str(service["name"]) for service in state.services]
    to_blame = find_to_blame(state.services)
    ill = [name for name in names if name in to_blame]
    ill = ill or [str(each["name"]) for each in state.services if is_ill(each)]
    if not ill:
        return ""
    if state.service is not None and not has_run(state.service):
        lacked = [name for name, _ in find_missing(state.services, state.selected) if name in ill]
        if lacked:
            return lacked[0]
    here = names.index(state.selected) if state.selected in names else -1
    return next((name for name in ill if names.index(name) > here), ill[0])
