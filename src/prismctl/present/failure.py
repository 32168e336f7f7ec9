"""The card for a service that will not come up: what it said, what waits for it, what to try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.text import Line, Span, Tone, clean, clip, clip_line, line, pad, width_of
from prismctl.present.units import render_clock
from prismctl.present.wording import symbol_of, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LABEL_WIDTH: Final = 16
_INDENT: Final = "  "
SHOWN_LINES: Final = 8
"""How many of its last lines a card shows."""


def failure_card(
    service: dict[str, Any],
    *,
    said: Sequence[dict[str, Any]],
    waiting: Sequence[str],
    width: int,
    stack: str = "default",
    is_running: bool = True,
) -> list[Line]:
    """The card for one service of a status document, with its last log lines as the socket gives them.

    ``is_running`` is whether the rest of the stack does, so that one service can be tried again.
    """
    name = clean(str(service["name"]))
    state = str(service["state"])
    why = clean(str(service.get("reason") or service.get("last_error") or ""))
    verdict = "failed" if state == "failed" else f"is {state}"
    lines = [
        clip_line(
            line(
                Span(f"{symbol_of(state)} {name} {verdict}", tone_of(state)),
                f": {why}" if why else "",
            ),
            width,
        ),
        (),
    ]
    room = max(1, width - len(_INDENT) - _LABEL_WIDTH)
    shown = [_said(entry, room) for entry in said[-SHOWN_LINES:]]
    lines += _block("what it said", shown or [line(Span("nothing", Tone.MUTED))])
    if waiting:
        lines += _block("what waits", [line(clip(clean(", ".join(waiting)), room))])
    suffix = "" if stack == "default" else f" --stack {clean(stack)}"
    advice = [(f"prismctl dev logs {name}{suffix}", "all it printed")]
    if is_running:
        advice.append((f"prismctl dev restart {name}{suffix}", "tries it again"))
    lines += _block("what to try", _advice(advice, room))
    return lines


def _said(entry: dict[str, Any], room: int) -> Line:
    clock = render_clock(str(entry.get("time") or ""))
    text = clean(str(entry.get("text") or ""))
    spans = line(Span(f"{clock}  " if clock else "", Tone.MUTED), text)
    return clip_line(spans, room)


def _advice(rows: list[tuple[str, str]], room: int) -> list[Line]:
    command_width = max(width_of(command) for command, _ in rows)
    return [
        clip_line(
            line(Span(pad(command, command_width), Tone.STRONG), Span(f"   {why}", Tone.MUTED)),
            room,
        )
        for command, why in rows
    ]


def _block(label: str, rows: Iterable[Line]) -> list[Line]:
    return [
        (Span(_INDENT), Span(pad(label if index == 0 else "", _LABEL_WIDTH), Tone.MUTED), *row)
        for index, row in enumerate(rows)
    ]
