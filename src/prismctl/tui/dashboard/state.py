"""What the dashboard knows and shows; pure. `arrivals` and `moving` say how that changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.trouble import is_ill
from prismctl.present.text import Tone
from prismctl.tui.dashboard.actions import Keymap, make_keymap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.present.question import Choice
    from prismctl.tui.dashboard.feeds import Loss

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
