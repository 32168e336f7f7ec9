"""The card for a service that went wrong: what it said, what needs it, what to try."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.service import Runtime
from prismctl.domain.setback import is_of_ended_run
from prismctl.domain.snapshot import GOOD_STATES
from prismctl.present.excerpt import READ_LINES, choose_excerpt
from prismctl.present.progress import waiting_for
from prismctl.present.reason import note_of
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    line_width,
    pad,
    width_of,
    wrap_text,
)
from prismctl.present.units import render_clock
from prismctl.present.wording import symbol_of, tone_of, tone_of_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LABEL_WIDTH: Final = 16
_INDENT: Final = "  "
_MOST_REASON_LINES: Final = 8
_MOST_ERROR_LINES: Final = 4
_MOST_OTHER_LINES: Final = 2
_MARK: Final = "✗ "
_TOLD_IN_FULL: Final = frozenset({"failed", "stopping", "stopped"})
"""States whose reason says all there is to say."""

_ABOUT_DATA: Final = re.compile(
    r"the data in \S+ was made by"
    r"|cannot set the password in"
    r"|database files are incompatible"
    r"|is not a valid data directory"
    r"|valid checkpoint record"
    r"|invalid primary checkpoint"
    r"|could not read file \"(?:global|base|pg_)"
    r"|bad file format reading the append only file"
    r"|(?:short read|wrong signature|unexpected EOF) .*(?:loading|trying to load)? ?DB"
    r"|can't handle RDB format"
    r"|error reading the RDB"
    r"|unexpected end of file reading the append only"
    r"|doesn't match stored clusterId"
    r"|No `meta\.properties` found",
    re.IGNORECASE,
)
"""What servers say that cannot go on with the data they have: the next try ends the same."""


def failure_card(
    service: dict[str, Any],
    *,
    said: Sequence[dict[str, Any]],
    dependants: Sequence[tuple[str, str]],
    width: int,
    stack: str = "default",
    is_running: bool = True,
    has_previous: bool = False,
) -> list[Line]:
    """The card for one service of a status document, with its last log lines as the socket gives them.

    ``dependants`` are what needs it, with the state of each; ``is_running`` is whether the rest of the stack does, so that one service can be tried again; ``has_previous``,
    whether there is data of it that was put aside.
    """
    name = clean(str(service["name"]))
    state = str(service["state"])
    why = note_of(service)
    verdict = "failed" if state == "failed" else f"is {state}"
    headline = f"{symbol_of(state)} {name} {verdict}"
    joint = "; " if state in GOOD_STATES else ": "
    lines = [
        *_headline(headline, tone_of_service(service), why, width, joint=joint),
        *_earlier(service, why, width),
        (),
    ]
    room = max(1, width - len(_INDENT) - _LABEL_WIDTH)
    is_elsewhere = service.get("runtime") == Runtime.EXTERNAL
    if not is_elsewhere:
        said = [entry for entry in said if is_of_ended_run(service, entry)][-READ_LINES:]
        words = _said(said, why, room) or [line(Span("nothing", Tone.MUTED))]
        lines += _block("what it said", words)
    if dependants:
        lines += _block("what needs it", _dependants(dependants, room))
    suffix = "" if stack == "default" else f" --stack {clean(stack)}"
    advice = [(f"prismctl dev logs {name}{suffix}", "all it printed")]
    if is_elsewhere:
        # Nothing of it is here: neither what it prints nor anything that could be tried again.
        advice = [(f"prismctl dev wait {name}{suffix}", "goes on as soon as it answers")]
    elif is_about_data([why, *(str(entry.get("text") or "") for entry in said)]):
        advice.append((f"prismctl dev data reset {name}{suffix}", "empties it"))
        if has_previous:
            command = f"prismctl dev data restore --previous {name}{suffix}"
            advice.append((command, "what was put aside"))
    elif is_running:
        advice.append((f"prismctl dev restart {name}{suffix}", "tries it again"))
    lines += _block("what to try", _advice(advice, room))
    return lines


def find_dependants(services: Sequence[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """What needs a service of a status document, directly or through others, with the state of each."""
    dependencies = {str(each["name"]): tuple(each.get("depends_on") or ()) for each in services}
    states = {str(each["name"]): str(each["state"]) for each in services}
    return [(other, states[other]) for other in waiting_for(dependencies, name)]


def is_about_data(texts: Iterable[str]) -> bool:
    """Whether a service cannot run because of the data it has, so that another try would end the same."""
    return any(_ABOUT_DATA.search(text) for text in texts)


def _earlier(service: Mapping[str, Any], why: str, width: int) -> list[Line]:
    """How its latest run ended, where the headline says only what became of it."""
    last = clean(str(service.get("last_error") or ""))
    if not last or service["state"] in _TOLD_IN_FULL or last in why:
        return []
    count = int(service.get("restarts") or 0)
    again = f"; restarted {f'{count} times' if count > 1 else 'once'}" if count else ""
    return [clip_line(line(f"{_INDENT}it {last}{again}"), width)]


def _dependants(dependants: Sequence[tuple[str, str]], room: int) -> list[Line]:
    """As many as one row has room for, those first that are not well."""
    sick_first = sorted(dependants, key=lambda each: each[1] in GOOD_STATES)
    spans: list[Span] = []
    for name, state in sick_first:
        spans += [
            Span(", " if spans else ""),
            Span(f"{symbol_of(state)} ", tone_of(state)),
            Span(f"{clean(name)} {state}"),
        ]
    return [clip_line(tuple(spans), room)]


def _headline(verdict: str, tone: Tone, why: str, width: int, *, joint: str) -> list[Line]:
    room = max(1, width - len(_INDENT))
    if not why or width_of(verdict) + len(_INDENT) > room:
        return [clip_line(line(Span(verdict, tone), f"{joint}{why}" if why else ""), width)]
    # The verdict is never broken: what is wrapped has its width, and no space in it.
    stand_in = "x" * width_of(verdict)
    first, *others = wrap_text(f"{stand_in}{joint}{why}", room, most_lines=_MOST_REASON_LINES)
    rest = first[len(stand_in) :]
    return [line(Span(verdict, tone), rest), *(line(Span(_INDENT), row) for row in others)]


def _said(said: Sequence[dict[str, Any]], why: str, room: int) -> list[Line]:
    """Where it went wrong, marked, and the end of it; a line that tells of the trouble is shown as a whole."""
    texts = [clean(str(entry.get("text") or "")) for entry in said]
    excerpt = choose_excerpt(texts)
    rows: list[Line] = []
    before: int | None = None
    for index in excerpt.indexes:
        if before is not None and index > before + 1:
            rows.append(line(Span(clip(f"… {index - before - 1} lines", room), Tone.MUTED)))
        before = index
        is_error = index == excerpt.error
        mark = "" if excerpt.error is None else _MARK if is_error else " " * len(_MARK)
        clock = render_clock(str(said[index].get("time") or ""))
        lead = line(Span(mark, Tone.BAD), Span(f"{clock}  " if clock else "", Tone.MUTED))
        most = _MOST_ERROR_LINES if is_error else _MOST_OTHER_LINES
        # What the headline says already need not be read twice.
        most = 1 if texts[index] == why else most
        rows += _wrapped(lead, texts[index], room, most_lines=most)
    return rows


def _wrapped(lead: Line, text: str, room: int, *, most_lines: int) -> list[Line]:
    """The text beside what leads it; where it is long, its other lines go on below."""
    indent = line_width(lead)
    if indent + width_of(text) <= room or indent * 2 > room:
        return [clip_line((*lead, Span(text)), room)]
    first, *others = wrap_text(text, room - indent, most_lines=most_lines)
    return [(*lead, Span(first)), *(line(Span(" " * indent), row) for row in others)]


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
