"""Events as plain lines: one word, then what it happened to; nothing that moves."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from prismctl.present.text import Line, Span, Tone, clean, line, pad
from prismctl.present.units import render_seconds

_VERB_WIDTH: Final = 8

_ACCEPTED: Final = "plan.accepted"
_HEALTHY: Final = "service.healthy"
_SETBACKS: Final = frozenset({"service.exited", "service.unhealthy"})
_NEXT_TRY: Final = re.compile(r", next try in [0-9.]+ s$")
_VERBS: Final = {
    "component.ready": ("ready", Tone.GOOD),
    "component.lost": ("lost", Tone.BAD),
    "swept": ("swept", Tone.BUSY),
    "image.pulling": ("pulling", Tone.BUSY),
    "image.pulled": ("pulled", Tone.GOOD),
    "service.healthy": ("healthy", Tone.GOOD),
    "service.completed": ("complete", Tone.GOOD),
    "service.unhealthy": ("unready", Tone.BUSY),
    "service.exited": ("exited", Tone.BUSY),
    "service.failed": ("failed", Tone.BAD),
    "service.reloading": ("changed", Tone.BUSY),
    "service.stopped": ("stopped", Tone.MUTED),
    "log.lost": ("lost", Tone.BAD),
    "data.reset": ("emptied", Tone.MUTED),
    "data.restored": ("restored", Tone.MUTED),
    "data.saved": ("saved", Tone.MUTED),
    "data.settled": ("finished", Tone.BUSY),
}
"""The kinds that are worth a line while somebody waits; with ``-v`` every kind is."""


def event_line(
    event: dict[str, Any], *, seconds: float | None = None, is_verbose: bool = False
) -> Line | None:
    """The line for an event as it crosses the socket; ``None`` when it is not worth one.

    ``seconds`` is how long it took, where that is known better than from the event.
    """
    kind = str(event["kind"])
    known = _VERBS.get(kind)
    if kind == _ACCEPTED and not is_verbose:
        return _data_line(event)
    if known is None and not is_verbose:
        return None
    verb, tone = known or (kind.rpartition(".")[2], Tone.MUTED)
    words = [clean(str(event.get("service") or ""))]
    measured = (event.get("details") or {}).get("seconds") if seconds is None else seconds
    if isinstance(measured, int | float) and tone is Tone.GOOD:
        words.append(render_seconds(measured))
    message = clean(str(event.get("message") or ""))
    if message and (tone is not Tone.GOOD or is_verbose):
        words.append(message)
    return action_line(verb, " ".join(word for word in words if word), tone)


class Repetitions:
    """What was said of services that are tried again and again: the same obstacle is told once, until they have been up."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}

    def is_one(self, event: dict[str, Any]) -> bool:
        """Whether an event says of its service what another one said already; takes note of it."""
        kind, service = str(event["kind"]), str(event.get("service") or "")
        if kind == _HEALTHY:
            self._told.pop(service, None)
        if kind not in _SETBACKS:
            return False
        message = _NEXT_TRY.sub("", str(event.get("message") or ""))
        told = self._told.setdefault(service, set())
        if message in told:
            return True
        told.add(message)
        return False


def _data_line(event: dict[str, Any]) -> Line | None:
    """Who begins without the data of the last run, and who has it still; ``None`` when nobody had any."""
    details = event.get("details") or {}
    fresh, kept = (",".join(details.get(key) or []) for key in ("fresh", "kept"))
    return action_line("data", fields(fresh=fresh, kept=kept)) if fresh or kept else None


def action_line(verb: str, rest: str, tone: Tone = Tone.PLAIN) -> Line:
    """A plain line: the verb in its column, then the rest."""
    return line(Span(pad(verb, _VERB_WIDTH), tone), " ", rest)


def fields(**values: object) -> str:
    """``key=value`` pairs in the order given, empty ones left out; values with spaces are quoted."""
    return " ".join(
        f"{key}={_quoted(clean(str(value)))}"
        for key, value in values.items()
        if value not in {None, ""}
    )


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def timed_event_line(event: dict[str, Any]) -> Line:
    """The line for any event with its time of day, for reading afterwards."""
    clock = time.strftime("%H:%M:%S", time.localtime(float(event["time"])))
    words = event_line(event, is_verbose=True) or ()
    return line(Span(f"{clock}  ", Tone.MUTED), *words)
