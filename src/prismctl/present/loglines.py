"""Log lines for people: a coloured name in front, levels recognised, whatever a service prints made harmless."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl.present.text import clean, pad
from prismctl.present.units import render_clock

if TYPE_CHECKING:
    from collections.abc import Iterable

_PALETTE: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""SGR foreground colours that can be told apart on dark and light grounds; red is left for failures."""


class Level(IntEnum):
    """How bad a log line is."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    FATAL = 5


LEVEL_WORDS: Final = {
    "trace": Level.TRACE,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "info": Level.INFO,
    "inf": Level.INFO,
    "log": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARN,
    "wrn": Level.WARN,
    "warning": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
    "fatal": Level.FATAL,
    "panic": Level.FATAL,
    "critical": Level.FATAL,
}

_JSON_LEVEL: Final = re.compile(r'"(?:level|lvl|severity|levelname)"\s*:\s*"([A-Za-z]+)"')
_FIELD_LEVEL: Final = re.compile(r"\b(?:level|lvl|severity)=\"?([A-Za-z]+)")
_BRACKETED_LEVEL: Final = re.compile(r"[\[<(]([A-Za-z]{3,8})[\]>)]")
_WORD_LEVEL: Final = re.compile(
    r"(?<![\w.-])(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|PANIC|CRITICAL|LOG)(?![\w-])"
)
_HEAD_CHARACTERS: Final = 200
"""A level stands near the beginning of a line; looking further finds words, not levels."""


def level_of(text: str) -> Level | None:
    """The level a line carries, in JSON, ``level=…``, ``[INFO]`` or a capital word; ``None`` without one."""
    for pattern in (_JSON_LEVEL, _FIELD_LEVEL):
        match = pattern.search(text)
        if match:
            return LEVEL_WORDS.get(match[1].lower())
    head = text[:_HEAD_CHARACTERS]
    for pattern in (_BRACKETED_LEVEL, _WORD_LEVEL):
        for match in pattern.finditer(head):
            level = LEVEL_WORDS.get(match[1].lower())
            if level is not None:
                return level
    return None


class LevelFilter:
    """Lets lines of a level or worse through; a line without a level goes with the line before it.

    So the lines of a traceback stay with the error they belong to.
    """

    def __init__(self, minimum: Level) -> None:
        self._minimum = minimum
        self._is_open: dict[tuple[str, int], bool] = {}

    def admits(self, entry: dict[str, Any]) -> bool:
        """Whether the line is to be shown."""
        source = (str(entry["service"]), int(entry.get("replica") or 0))
        level = level_of(str(entry["text"]))
        if level is not None:
            self._is_open[source] = level >= self._minimum
        return self._is_open.get(source, self._minimum <= Level.INFO)


class LogPrinter:
    """Renders log lines with an aligned name in front when there is more than one source."""

    def __init__(self, names: Iterable[str], *, has_prefix: bool, has_colour: bool) -> None:
        self._has_prefix = has_prefix
        self._has_colour = has_colour
        cleaned = [clean(name) for name in names]
        self._width = max((len(name) for name in cleaned), default=0)
        self._colours = {name: colour_of(name) for name in cleaned}

    def render(self, entry: dict[str, Any]) -> str:
        """One line, without its end."""
        text = clean(str(entry["text"]), keep_colours=self._has_colour)
        clock = render_clock(str(entry.get("time") or ""))
        if not self._has_prefix:
            return f"{self._muted(clock)}  {text}" if clock else text
        replica = int(entry.get("replica") or 0)
        name = clean(str(entry["service"])) + (f"#{replica}" if replica else "")
        self._width = max(self._width, len(name))
        label = pad(name, self._width)
        if self._has_colour:
            label = f"\x1b[{self._colours.get(name) or colour_of(name)}m{label}\x1b[0m"
        return f"{label}  {self._muted(clock)}  {text}" if clock else f"{label}  {text}"

    def _muted(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._has_colour else text


def colour_of(name: str) -> int:
    """The colour of a service: the same in every call and every stack."""
    return _PALETTE[
        sum(ord(letter) * (index + 1) for index, letter in enumerate(name)) % len(_PALETTE)
    ]
