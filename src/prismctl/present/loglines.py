"""Log lines for people: a coloured name in front, JSON made readable, whatever a service prints made harmless."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from prismctl.present.log_levels import Level, level_of
from prismctl.present.structured_logs import parse_structured, render_fields
from prismctl.present.text import clean, pad
from prismctl.present.units import render_clock

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Level", "LogPrinter", "colour_of", "last_state", "level_of", "without_own_time"]

MAX_SHOWN_CHARACTERS: Final = 10_000
"""More of one line would fill several screens; where it is cut, it says how long it is."""

_PALETTE: Final = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""SGR foreground colours that can be told apart on dark and light grounds; red is left for failures."""
_LEVEL_COLOURS: Final = {Level.WARN: 33, Level.ERROR: 31, Level.FATAL: 31}
_STAMP: Final = re.compile(
    r"(?P<before>\[\d+\] |\d+:[A-Z] )?"
    r"(?:(?P<bracket>\[)?\d{4}[-/]\d\d[-/]\d\d[T ]|\d\d [A-Z][a-z]{2} \d{4} )"
    r"\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d| UTC)?(?(bracket)\])\s+"
)
"""A time at the beginning of a line, or after the PID as NATS (``[71] ``) and Redis (``71:M ``) write it."""
_SECOND: Final = 19
"""So much of a time of a log line says the second."""


class LogPrinter:
    """Renders log lines with an aligned name in front when there is more than one source.

    Args:
        names: of the services whose lines are expected.
        has_prefix: whether lines say whose they are.
        has_colour: whether the output shows colours.
        is_readable: whether JSON is made readable, a line has no second time and very long lines are cut, as on a terminal.
        is_exact: control characters are left in, for an output that is no terminal.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        has_prefix: bool,
        has_colour: bool,
        is_readable: bool = False,
        is_exact: bool = False,
    ) -> None:
        self._has_prefix = has_prefix
        self._has_colour = has_colour
        self._is_readable = is_readable
        self._is_exact = is_exact
        self._width = max((len(clean(name)) for name in names), default=0)
        self._labels: dict[tuple[str, int], str] = {}
        self._second = ""
        self._clock = ""

    def render(self, entry: dict[str, Any]) -> str:
        """One line, without its end."""
        text = self._render_text(str(entry["text"]))
        moment = str(entry.get("time") or "")
        if moment[:_SECOND] != self._second:
            self._second = moment[:_SECOND]
            clock = render_clock(moment)
            self._clock = f"{self._muted(clock)}  " if clock else ""
        if not self._has_prefix:
            return f"{self._clock}{text}"
        source = str(entry["service"]), int(entry.get("replica") or 0)
        label = self._labels.get(source) or self._label(*source)
        return f"{label}  {self._clock}{text}"

    def _label(self, service: str, replica: int) -> str:
        name = clean(service) + (f"#{replica}" if replica else "")
        if len(name) > self._width:
            self._width = len(name)
            self._labels.clear()
        label = pad(name, self._width)
        if self._has_colour:
            label = f"\x1b[{colour_of(name)}m{label}\x1b[0m"
        self._labels[service, replica] = label
        return label

    def _render_text(self, text: str) -> str:
        if self._is_exact:
            return text
        if "\r" in text:
            text = last_state(text)
        if not self._is_readable:
            return clean(text, keep_colours=self._has_colour)
        if text.startswith("{") and (readable := self._render_structured(text)):
            return readable
        text = without_own_time(text)
        note = ""
        if len(text) > MAX_SHOWN_CHARACTERS:
            note = self._muted(f" … ({len(text):,} characters, all of them with --raw)")
            text = text[:MAX_SHOWN_CHARACTERS]
        return clean(text, keep_colours=self._has_colour) + note

    def _render_structured(self, text: str) -> str:
        parsed = parse_structured(text)
        if parsed is None:
            return ""
        level = level_of(text)
        fields = clean(render_fields(parsed))
        words = [
            self._painted(level.name, _LEVEL_COLOURS.get(level)) if level is not None else "",
            clean(parsed.message),
            self._muted(fields[:MAX_SHOWN_CHARACTERS]) if fields else "",
        ]
        return " ".join(word for word in words if word)

    def _painted(self, text: str, colour: int | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._has_colour and colour else text

    def _muted(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._has_colour and text else text


def without_own_time(text: str) -> str:
    """A line without the time that its service put before it: one stands beside it already.

    >>> without_own_time("[71] 2026/01/02 03:04:05.678901 [INF] ready")
    '[71] [INF] ready'
    """
    found = _STAMP.match(text)
    if found is None:
        return text
    return f"{found['before'] or ''}{text[found.end() :]}"


def last_state(text: str) -> str:
    """What is left to be seen of a line that was written over again and again, as progress bars do."""
    return next((state for state in reversed(text.split("\r")) if state.strip()), "")


def colour_of(name: str) -> int:
    """The colour of a service: the same in every call and every stack."""
    return _PALETTE[
        sum(ord(letter) * (index + 1) for index, letter in enumerate(name)) % len(_PALETTE)
    ]
