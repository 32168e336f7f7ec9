"""The card for a service that went wrong: what it said, what needs it, what to try."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.service import Runtime
from prismctl.domain.setback import is_of_ended_run
from prismctl.domain.snapshot import GOOD_STATES
from prismctl.present.excerpt import MOST_LINES, READ_LINES, choose_excerpt
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
    missing: Sequence[tuple[str, str]] = (),
    stack: str = "default",
    is_running: bool = True,
    has_previous: bool = False,
    most_lines: int = MOST_LINES,
) -> list[Line]:
    """The card for one service of a status document, with its last log lines as the socket gives them.

    Args:
        service: of the document.
        said: its last lines.
        dependants: what needs it, with the state of each.
        width: of the lines at most.
        missing: what it needs and is not up, with the state of each: see `find_missing`.
        stack: by name.
        is_running: whether the rest of the stack does, so that one service can be tried again.
        has_previous: whether there is data of it that was put aside.
        most_lines: how much is shown of what it said.
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
        nothing = "nothing" if has_run(service) else "nothing: it has not run"
        words = _said(said, why, room, most_lines) or [line(Span(clip(nothing, room), Tone.MUTED))]
        lines += _block("what it said", words)
    if missing:
        lines += _block("what it needs", _states_of(missing, room))
    if dependants:
        lines += _block("what needs it", _states_of(dependants, room))
    told = [why, *(str(entry.get("text") or "") for entry in said)]
    if missing and not has_run(service) and not is_elsewhere:
        advice = _advise_on(missing, name, is_running=is_running)
    elif is_elsewhere:
        # Nothing of it is here: neither what it prints nor anything that could be tried again.
        advice = [(f"wait {name}", "goes on as soon as it answers")]
    elif is_about_data(told):
        advice = _advise_on_data(name, has_previous=has_previous)
    else:
        advice = [(f"logs {name}", "all it printed")]
        advice += [(f"restart {name}", "tries it again")] if is_running else []
    suffix = "" if stack == "default" else f" --stack {clean(stack)}"
    commands = [(f"prismctl dev {command}{suffix}", words) for command, words in advice]
    lines += _block("what to try", _advice(commands, room))
    return lines


def find_dependants(services: Sequence[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """What needs a service of a status document, directly or through others, with the state of each."""
    dependencies = {str(each["name"]): tuple(each.get("depends_on") or ()) for each in services}
    states = {str(each["name"]): str(each["state"]) for each in services}
    return [(other, states[other]) for other in waiting_for(dependencies, name)]


def has_run(service: Mapping[str, Any]) -> bool:
    """Whether there was ever a process of a service of a status document, as far as that tells."""
    if service["state"] == "waiting":
        return False
    instances = service.get("instances")
    return not instances or any(each.get("started_at") for each in instances)


def _advise_on(
    missing: Sequence[tuple[str, str]], name: str, *, is_running: bool
) -> list[tuple[str, str]]:
    """For one that has never run: to try it again comes to nothing before the others are there, and is not needed then."""
    advice = []
    for each, _ in missing:
        culprit = clean(each)
        advice.append((f"logs {culprit}", f"why {culprit} is not up"))
        if is_running:
            advice.append((f"restart {culprit}", f"tries it again; {name} follows by itself"))
    return advice


def _advise_on_data(name: str, *, has_previous: bool) -> list[tuple[str, str]]:
    """For one that cannot go on with the data it has."""
    advice = [(f"logs {name}", "all it printed"), (f"data reset {name}", "empties it")]
    if has_previous:
        advice.append((f"data restore --previous {name}", "what was put aside"))
    return advice


def find_missing(services: Sequence[Mapping[str, Any]], name: str) -> list[tuple[str, str]]:
    """What is to blame that a service of a status document does not have all that it needs, with the state of each.

    Of all of that, directly or through others, it is what is not up though it has all that it needs itself.
    """
    by_name = {str(each["name"]): each for each in services}
    found: dict[str, str] = {}
    seen: set[str] = set()

    def look(one: str) -> bool:
        """Whether something is missing at or below it."""
        seen.add(one)
        needed = [str(each) for each in by_name[one].get("depends_on") or () if each in by_name]
        lacks = [each for each in needed if each in found or (each not in seen and look(each))]
        if one != name and not lacks and str(by_name[one]["state"]) not in GOOD_STATES:
            found[one] = str(by_name[one]["state"])
        return bool(lacks) or one in found

    if name in by_name:
        look(name)
    return list(found.items())


def is_about_data(texts: Iterable[str]) -> bool:
    """Whether a service cannot run because of the data it has, so that another try would end the same."""
    return any(_ABOUT_DATA.search(text) for text in texts)


def _earlier(service: Mapping[str, Any], why: str, width: int) -> list[Line]:
    """How its latest run ended, where the headline says only what became of it."""
    last = clean(str(service.get("last_error") or ""))
    if not last or service["state"] in _TOLD_IN_FULL:
        return []
    if _without_times(last) in _without_times(why):
        return []
    count = int(service.get("restarts") or 0)
    again = f"; restarted {f'{count} times' if count > 1 else 'once'}" if count else ""
    # How a run ended is said of the service; what a check found is a sentence of its own.
    words = f"it {last}" if _ENDING.match(last) else f"before that: {last}"
    return [clip_line(line(f"{_INDENT}{words}{again}"), width)]


_ENDING: Final = re.compile(r"(?:exited|ended|was killed|could not be started)\b")
_TIME: Final = re.compile(r"\d+(?:\.\d+)? ?(?:ms|s|m|h|d)\b")


def _without_times(words: str) -> str:
    """What a check says again a little later is the same, though it took another time."""
    return _TIME.sub("", words)


def _states_of(services: Sequence[tuple[str, str]], room: int) -> list[Line]:
    """As many as one row has room for, those first that are not well."""
    sick_first = sorted(services, key=lambda each: each[1] in GOOD_STATES)
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


def _said(said: Sequence[dict[str, Any]], why: str, room: int, most_lines: int) -> list[Line]:
    """Where it went wrong, marked, and the end of it; a line that tells of the trouble is shown as a whole."""
    texts = [clean(str(entry.get("text") or "")) for entry in said]
    excerpt = choose_excerpt(texts, most_lines)
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
    """Commands with what they do beside them, or below where there is no room: none of it is cut off."""
    command_width = max(width_of(command) for command, _ in rows)
    lines: list[Line] = []
    for command, why in rows:
        beside = line(Span(pad(command, command_width), Tone.STRONG), Span(f"   {why}", Tone.MUTED))
        if line_width(beside) <= room:
            lines.append(beside)
            continue
        typed = wrap_text(command, room, most_lines=_MOST_ERROR_LINES)
        told = wrap_text(why, max(1, room - len(_INDENT)), most_lines=_MOST_ERROR_LINES)
        lines += [line(Span(each, Tone.STRONG)) for each in typed]
        lines += [line(_INDENT, Span(each, Tone.MUTED)) for each in told]
    return lines


def _block(label: str, rows: Iterable[Line]) -> list[Line]:
    return [
        (Span(_INDENT), Span(pad(label if index == 0 else "", _LABEL_WIDTH), Tone.MUTED), *row)
        for index, row in enumerate(rows)
    ]
