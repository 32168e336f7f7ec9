"""How bad a log line is, as loggers write it: JSON, logfmt, klog, the marks of servers, a word in the usual place."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    "trc": Level.TRACE,
    "finest": Level.TRACE,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "verbose": Level.DEBUG,
    "fine": Level.DEBUG,
    "info": Level.INFO,
    "inf": Level.INFO,
    "information": Level.INFO,
    "log": Level.INFO,
    "note": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARN,
    "wrn": Level.WARN,
    "warning": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
    "eror": Level.ERROR,
    "severe": Level.ERROR,
    "fatal": Level.FATAL,
    "ftl": Level.FATAL,
    "panic": Level.FATAL,
    "crit": Level.FATAL,
    "critical": Level.FATAL,
    "alert": Level.FATAL,
    "emerg": Level.FATAL,
    "emergency": Level.FATAL,
}

_LEVEL_KEYS: Final = r"(?:@?level|lvl|severity|severitytext|levelname|loglevel|log\.level)"
_JSON_LEVEL: Final = re.compile(
    rf'"{_LEVEL_KEYS}"\s*:\s*(?:"([A-Za-z]+)"|(\d{{1,2}})\b)', re.IGNORECASE
)
_FIELD_LEVEL: Final = re.compile(rf'(?<![\w.-]){_LEVEL_KEYS}="?([A-Za-z]+)')
_LETTERS: Final = {
    "T": Level.TRACE,
    "D": Level.DEBUG,
    "I": Level.INFO,
    "W": Level.WARN,
    "E": Level.ERROR,
    "F": Level.FATAL,
}
_KLOG: Final = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s")
_RUBY: Final = re.compile(r"([DIWEF]), \[")
_REDIS: Final = re.compile(r"\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} ([.*#-])")
_REDIS_MARKS: Final = {
    ".": Level.DEBUG,
    "-": Level.DEBUG,
    "*": Level.INFO,
    "#": Level.WARN,
}
_SYSLOG: Final = re.compile(r"<([0-7])>")
_SYSLOG_LEVELS: Final = (
    Level.FATAL,
    Level.FATAL,
    Level.FATAL,
    Level.ERROR,
    Level.WARN,
    Level.INFO,
    Level.INFO,
    Level.DEBUG,
)
_FIRST_NODE_LEVEL: Final = 10
"""pino and bunyan count 10 (trace), 20 … 60 (fatal); smaller numbers are those of syslog."""
_MARKED: Final[tuple[tuple[re.Pattern[str], Mapping[str, Level]], ...]] = (
    (_REDIS, _REDIS_MARKS),
    (_KLOG, _LETTERS),
    (_RUBY, _LETTERS),
    (_SYSLOG, {str(digit): level for digit, level in enumerate(_SYSLOG_LEVELS)}),
)
_CRASHES: Final = (
    ("Traceback (most recent call last)", Level.ERROR),
    ("Exception in thread ", Level.ERROR),
    ("panic: ", Level.FATAL),
    ("fatal error: ", Level.FATAL),
    ("Segmentation fault", Level.FATAL),
)
_POSTGRES_MORE: Final = re.compile(r"\b(?:STATEMENT|DETAIL|HINT|CONTEXT|QUERY|LOCATION):  ")
"""What PostgreSQL adds to the line before; it may quote anything."""


def _in_any_case(*words: str) -> str:
    """Words for a pattern, however they are written; browsers know no flag for a part of one."""
    return "|".join("".join(f"[{each}{each.upper()}]" for each in word) for word in words)


_FIRST_WORDS: Final = _in_any_case(
    "trace", "debug", "info", "notice", "warning", "warn", "error", "fatal", "panic"
)
_WORD_LEVEL: Final = re.compile(
    r"[\[<(]([A-Za-z]{3,11})[\]>)]"
    rf"|^(?:[\w./-]{{1,40}}: )?({_FIRST_WORDS})(?:\[\w+\])?: "
    r"|(?<![\w.-])(TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|FATAL|PANIC|CRITICAL|LOG)(?![\w-])"
)
_HEAD_CHARACTERS: Final = 200
"""A level stands near the beginning of a line; looking further finds words, not levels."""
_JSON_CHARACTERS: Final = 4096
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")


def level_of(text: str) -> Level | None:
    """The level a line carries; ``None`` without one."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text[:_JSON_CHARACTERS])
    beginning = text[:_JSON_CHARACTERS]
    if match := _JSON_LEVEL.search(beginning):
        return LEVEL_WORDS.get(match[1].lower()) if match[1] else _numbered(int(match[2]))
    if match := _FIELD_LEVEL.search(beginning):
        return LEVEL_WORDS.get(match[1].lower())
    marked = _marked_level(beginning)
    return _worded_level(beginning[:_HEAD_CHARACTERS]) if marked is None else marked


def _marked_level(text: str) -> Level | None:
    """What a line says by how it begins."""
    for pattern, meaning in _MARKED:
        if match := pattern.match(text):
            return meaning[match[1]]
    return next((level for words, level in _CRASHES if text.startswith(words)), None)


def _worded_level(head: str) -> Level | None:
    if _POSTGRES_MORE.search(head):
        return None
    for match in _WORD_LEVEL.finditer(head):
        found = LEVEL_WORDS.get(match[match.lastindex or 0].lower())
        if found is not None:
            return found
    return None


def _numbered(number: int) -> Level | None:
    if number >= _FIRST_NODE_LEVEL:
        return Level(min(number // 10 - 1, Level.FATAL))
    return _SYSLOG_LEVELS[number] if number < len(_SYSLOG_LEVELS) else None


def render_rules() -> dict[str, Any]:
    """What `level_of` goes by, for the page in the browser: words, numbers and patterns that mean the same there."""
    return {
        "words": LEVEL_WORDS,
        "json": _JSON_LEVEL.pattern,
        "field": _FIELD_LEVEL.pattern,
        "marked": [[f"^(?:{pattern.pattern})", dict(meaning)] for pattern, meaning in _MARKED],
        "crashes": _CRASHES,
        "continued": _POSTGRES_MORE.pattern,
        "word": _WORD_LEVEL.pattern,
        "colour": _COLOUR.pattern,
        "syslog": _SYSLOG_LEVELS,
        "first_node_level": _FIRST_NODE_LEVEL,
        "head_characters": _HEAD_CHARACTERS,
        "json_characters": _JSON_CHARACTERS,
    }


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
