"""What services have stored, and what became of it, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.listing import table_lines
from prismctl.present.text import Line, Span, Tone, clean, line
from prismctl.present.units import UNKNOWN, list_of, render_bytes, render_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEXT_START: Final = {True: "keeps it", False: "empties it", None: UNKNOWN}


def list_lines(document: Mapping[str, Any], *, width: int) -> list[Line]:
    """The services' data, the snapshots, and how many of those there can be."""
    lines: list[Line] = [line(Span(clean(note), Tone.BUSY)) for note in document["notes"]]
    services, snapshots = document["services"], document["snapshots"]
    stack = clean(document["stack"])
    if services:
        columns = ("SERVICE", "SIZE", "CHANGED", "NEXT START", "PUT ASIDE")
        rows = [
            (
                each["name"],
                render_bytes(each["bytes"]),
                _ago(each["age_seconds"]),
                _NEXT_START[each["persist"]],
                _render_previous(each["previous"]),
            )
            for each in services
        ]
        lines += table_lines(columns, rows, width=width)
    else:
        lines.append(line(f"no service of stack {stack} has any data"))
    lines.append(())
    if snapshots:
        header = ("SNAPSHOT", "TAKEN", "SIZE", "SERVICES")
        taken_rows = [
            (
                each["name"],
                _ago(each["age_seconds"]),
                render_bytes(each["bytes"]),
                ", ".join(part["name"] for part in each["services"]),
            )
            for each in snapshots
        ]
        lines += [*table_lines(header, taken_rows, width=width), ()]
    total = sum(each["bytes"] for each in snapshots)
    taken = render_bytes(total) if snapshots else "none yet"
    words = (
        f"{len(snapshots)} of {document['max_snapshots']} snapshots, {taken}, "
        f"in {clean(document['directory'])}"
    )
    return [*lines, line(Span(words, Tone.MUTED))]


def change_lines(document: Mapping[str, Any], *, option: str) -> list[Line]:
    """What was done to whose data, and how to undo it."""
    took = render_duration(document["seconds"])
    services = document["services"]
    parts = list_of([_render_part(each) for each in services])
    lines: list[Line] = [line(clean(note)) for note in document["notes"]]
    previous = f"prismctl dev data restore {' '.join(each['name'] for each in services)} --previous"
    action = document["action"]
    if action == "snapshot":
        name = clean(document["snapshot"])
        lines.append(line(Span(f"saved {parts} as `{name}` in {took}", Tone.GOOD)))
        lines += [line(f"removed snapshot `{clean(each)}`") for each in document["removed"]]
        lines.append(
            line(
                Span(
                    f"`prismctl dev data restore --name {name}{option}` brings it back", Tone.MUTED
                )
            )
        )
        return lines
    if action == "reset":
        names = list_of([clean(each["name"]) for each in services])
        starts = "starts" if len(services) == 1 else "start"
        restarted = all(each["restarted"] for each in services)
        words = f"{names} {'began' if restarted else starts} without data, in {took}"
    else:
        source = document["snapshot"]
        of = f"snapshot `{clean(source)}`" if source else "what was put aside"
        words = f"restored {parts} from {of} in {took}"
    lines.append(line(Span(words, Tone.GOOD)))
    if action == "restore" or any(each["bytes"] for each in services):
        lines.append(line(Span(f"`{previous}{option}` undoes that", Tone.MUTED)))
    return lines


def start_lines(fresh: Sequence[str], kept: Sequence[str], *, option: str) -> list[Line]:
    """Who began without the data of the last run, and who has it still; nothing where nobody had any."""
    lines = []
    if fresh:
        names = list_of([clean(name) for name in fresh])
        starts = "starts" if len(fresh) == 1 else "start"
        command = f"prismctl dev data restore --previous{option}"
        lines.append(line(f"{names} {starts} empty; `{command}` brings the last data back"))
    if kept:
        names = list_of([clean(name) for name in kept])
        own = "its" if len(kept) == 1 else "their"
        lines.append(line(f"{names} kept {own} data"))
    return lines


def _render_part(service: Mapping[str, Any]) -> str:
    return f"{clean(service['name'])} ({render_bytes(service['bytes'])})"


def _render_previous(previous: Mapping[str, Any] | None) -> str:
    if previous is None:
        return UNKNOWN
    return f"{render_bytes(previous['bytes'])}, {_ago(previous['age_seconds'])}"


def _ago(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{render_duration(seconds)} ago"
