"""Lines that a logger wrote for programs, JSON or logfmt: what they say, and the fields around it."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from prismctl.present.log_levels import level_of

_MESSAGE_KEYS: Final = ("message", "msg", "@message", "event", "log", "text")
_KNOWN_ELSEWHERE: Final = frozenset(
    {
        "time",
        "ts",
        "timestamp",
        "@timestamp",
        "t",
        "level",
        "lvl",
        "severity",
        "@level",
        "levelname",
        "log.level",
    }
)
"""Shown in another place: the clock in front of the line, and the level."""
_PAIR: Final = re.compile(r'([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
_BARE: Final = re.compile(r"[\w.:/@+,%-]+")
_MAX_CHARACTERS: Final = 256 * 1024
"""Longer lines are shown as they are."""


class StructuredLine(NamedTuple):
    """What a logger put into one line."""

    message: str
    fields: dict[str, Any]
    """Everything that is in it, the message included."""


def parse_structured(text: str) -> StructuredLine | None:
    """The parts of a line that is one JSON object, or nothing but two logfmt pairs or more; ``None`` for others."""
    stripped = text.strip()
    if len(stripped) > _MAX_CHARACTERS:
        return None
    if stripped.startswith("{") and stripped.endswith("}"):
        try:
            fields = json.loads(stripped)
        except (ValueError, RecursionError):
            return None
    else:
        fields = _parse_logfmt(stripped)
    if not isinstance(fields, dict) or not fields:
        return None
    key = find_message_key(fields)
    return StructuredLine(str(fields[key]) if key else "", fields)


def find_message_key(fields: dict[str, Any]) -> str:
    """Under which key a line says what it is about; empty where it does not."""
    return next((key for key in _MESSAGE_KEYS if isinstance(fields.get(key), str)), "")


def describe(text: str) -> dict[str, Any]:
    """What is read out of a line, for programs: ``level`` as a word and ``fields``, ``None`` where there are none."""
    level = level_of(text)
    parsed = parse_structured(text)
    return {
        "level": None if level is None else level.name.lower(),
        "fields": None if parsed is None else parsed.fields,
    }


def render_fields(line: StructuredLine) -> str:
    """The fields that are shown neither as the message nor elsewhere: ``key=value key=value``."""
    message_key = find_message_key(line.fields)
    return " ".join(
        f"{key}={_render_value(value)}"
        for key, value in line.fields.items()
        if key != message_key and key not in _KNOWN_ELSEWHERE
    )


def _render_value(value: Any) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parse_logfmt(text: str) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            return None
        fields[match[1]] = _unquote(match[2])
        position = match.end()
    return fields if len(fields) > 1 else None


def _unquote(word: str) -> str:
    if not word.startswith('"'):
        return word
    try:
        return str(json.loads(word))
    except ValueError:
        return word[1:-1]
