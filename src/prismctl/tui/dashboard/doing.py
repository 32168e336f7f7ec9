"""What the dashboard has others do: it draws and asks, the command line knows how things are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.present.question import Choice


@dataclass(frozen=True, slots=True)
class Foreground:
    """A program that gets the terminal for a while."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    above: str = ""
    """Said before it begins."""
    waits: bool = False
    """What it printed stays until somebody has read it."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked before something is done that cannot be taken back."""

    words: str
    obstacle: str = ""
    """Why it cannot be done from here, and what to type instead; then nothing is asked."""


@dataclass(frozen=True, slots=True)
class KeyQuestion:
    """What is to be decided before something goes on, by one of some keys."""

    words: str
    answers: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ToOpen:
    """An address that somebody has to open themselves: nothing here could show it."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Each runs in a thread, may take its time, and says in words what came of it; all raise `PrismError`."""

    restart: Callable[[str], str]
    scale: Callable[[str, int], str]
    ask_to_stop: Callable[[str], Question]
    """What stopping a service would come to."""
    stop_service: Callable[[str], str]
    """Takes a service out, with what needs it: as `ask_to_stop` has told."""
    list_addable: Callable[[], Mapping[str, str]]
    """Services that could be added, with their descriptions."""
    add: Callable[[str, str], str | KeyQuestion]
    """Adds a service; or asks first, and is called again with the key that was the answer, which is empty before."""
    open_ui: Callable[[str], str | ToOpen]
    ask_to_end_holder: Callable[[str], Question | None]
    """Who has a port of a service; ``None``: nobody else."""
    end_holder: Callable[[str], str]
    """Ends the one that `ask_to_end_holder` found last for that service, and starts the service again."""
    stop_stack: Callable[[], str]
    run_beside: Callable[[str, str], Foreground]
    """A command, or a shell, beside a service."""
    open_logs: Callable[[str, str], Foreground]
    """Logs of a service (none: of all) in a ``pager`` or an ``editor``."""
