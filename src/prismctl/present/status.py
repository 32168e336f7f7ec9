"""The status document as a table: the first word answers the question, every bad row says what to do."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from prismctl.present.port_words import main_port_of
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    fold,
    line,
    line_width,
    pad,
    spread,
    width_of,
)
from prismctl.present.units import (
    UNKNOWN,
    render_bytes,
    render_duration,
    render_latency,
    render_percent,
    render_rate,
)
from prismctl.present.wording import component_title, engine_title, symbol_of, tone_of

_GAP: Final = 2
_INDENT: Final = 2
_LONGEST_NAME: Final = 32
_MINIMUM_NOTE_WIDTH: Final = 12
_MOST_NOTE_LINES: Final = 3


class _Column(NamedTuple):
    title: str
    importance: int
    """Columns with the lowest go first where a terminal is narrow."""
    cells: list[str]


def status_lines(status: dict[str, Any], *, width: int) -> list[Line]:
    """The table for a status document, at most ``width`` cells wide."""
    lines = [_header(status, width)]
    services = list(status.get("services") or [])
    if not services:
        if status["state"] == "stopped":
            stack = str(status.get("stack") or "default")
            option = "" if stack == "default" else f" --stack {stack}"
            lines += [
                (),
                line("  ", Span(f"prismctl dev start{option}", Tone.STRONG), " starts it"),
            ]
        return [clip_line(words, width) for words in [*lines, *_notes(status)]]
    lines += [(), *_table(services, width)]
    advice = _advice(services, str(status.get("stack") or "default"))
    lines += _runtime_lines(services, width)
    for words in (*_component_lines(status), *_notes(status), *advice):
        lines.append(clip_line(words, width))
    return lines


def endpoint_lines(document: dict[str, Any]) -> list[Line]:
    """The addresses of each service below the table, credentials included; never cut, they are there to be copied."""
    rows = [
        (clean(service["name"]), clean(port), clean(address))
        for service in document.get("services") or []
        for port, address in (service.get("endpoints") or {}).items()
    ]
    names = max((width_of(name) for name, _, _ in rows), default=0)
    ports = max((width_of(port) for _, port, _ in rows), default=0)
    lines = [
        line("  ", pad(name, names), "  ", Span(pad(port, ports), Tone.MUTED), "  ", address)
        for name, port, address in rows
    ]
    return [(), *lines] if lines else []


def _header(status: dict[str, Any], width: int) -> Line:
    state = str(status["state"])
    parts = []
    if state != "stopped":
        parts.append(engine_title(str(status.get("engine") or "")))
        if status.get("uptime_seconds") is not None:
            parts.append(f"up {render_duration(status['uptime_seconds'])}")
        if status.get("memory_bytes"):
            limit = status.get("memory_limit_bytes")
            of_limit = f" of {render_bytes(limit)}" if limit else ""
            parts.append(f"{render_bytes(status['memory_bytes'])}{of_limit}")
    left = line(
        Span(clean(str(status["stack"])), Tone.STRONG),
        " · ",
        Span(state, tone_of(state)),
        *(f" · {part}" for part in parts if part),
    )
    origin = clean(str(status.get("origin") or ""))
    return spread(left, line(Span(origin, Tone.MUTED)), width)


def _table(services: list[dict[str, Any]], width: int) -> list[Line]:
    names = [clip(clean(str(service["name"])), _LONGEST_NAME) for service in services]
    columns = _fitting_columns(_columns(services), names, width)
    name_width = max([len("SERVICE"), *(width_of(name) for name in names)])
    widths = [max([len(title), *(width_of(cell) for cell in cells)]) for title, _, cells in columns]
    gap = " " * _GAP
    header = "".join(
        gap + pad(column.title, cells) for column, cells in zip(columns, widths, strict=True)
    )
    lines = [line(" " * (_INDENT + 2), Span(f"{pad('SERVICE', name_width)}{header}", Tone.MUTED))]
    for index, (service, name) in enumerate(zip(services, names, strict=True)):
        state = str(service["state"])
        spans = [
            Span(" " * _INDENT),
            Span(symbol_of(state), tone_of(state)),
            Span(f" {pad(name, name_width)}"),
        ]
        for column, cells in zip(columns, widths, strict=True):
            tone = tone_of(state) if column.title == "STATE" else Tone.PLAIN
            spans.extend((Span(gap), Span(pad(column.cells[index], cells), tone)))
        lines.extend(_with_note(tuple(spans), _note_of(service), width))
    return [clip_line(_right_stripped(row), width) for row in lines]


def _columns(services: list[dict[str, Any]]) -> list[_Column]:
    columns = [
        _Column("STATE", 9, [_state_cell(service) for service in services]),
        _Column("RUNTIME", 3, [clean(str(service.get("runtime") or "")) for service in services]),
        _Column("PORT", 8, [_port_cell(service) for service in services]),
        _Column(
            "REQ/S", 5, [render_rate(service.get("requests_per_second")) for service in services]
        ),
        _Column(
            "P95", 4, [render_latency(service.get("latency_p95_seconds")) for service in services]
        ),
        _Column("MEM", 6, [_usage(service, "memory_bytes", render_bytes) for service in services]),
        _Column("CPU", 5, [_usage(service, "cpu_percent", render_percent) for service in services]),
        _Column("RESTARTS", 7, [str(service.get("restarts") or 0) for service in services]),
    ]
    measured_only = {"REQ/S", "P95"}
    return [
        column
        for column in columns
        if column.title not in measured_only or set(column.cells) != {UNKNOWN}
    ]


def _fitting_columns(columns: list[_Column], names: list[str], width: int) -> list[_Column]:
    """The columns that fit, the important ones kept."""
    name_width = max([len("SERVICE"), *(width_of(name) for name in names)])

    def needed(chosen: list[_Column]) -> int:
        cells = sum(
            _GAP + max([len(column.title), *(width_of(cell) for cell in column.cells)])
            for column in chosen
        )
        return _INDENT + 2 + name_width + cells

    chosen = list(columns)
    while len(chosen) > 1 and needed(chosen) > width:
        chosen.remove(min(chosen, key=lambda column: column.importance))
    return chosen


def _state_cell(service: dict[str, Any]) -> str:
    replicas = service.get("replicas") or {}
    wanted = replicas.get("wanted") or 1
    state = str(service["state"])
    return state if wanted == 1 else f"{state} {replicas.get('healthy', 0)}/{wanted}"


def _port_cell(service: dict[str, Any]) -> str:
    return main_port_of(service) or UNKNOWN


def _usage(service: dict[str, Any], key: str, render: Any) -> str:
    return str(render(service.get(key))) if service.get("pid") is not None else UNKNOWN


def _note_of(service: dict[str, Any]) -> str:
    return clean(str(service.get("reason") or ""))


def _with_note(row: Line, note: str, width: int) -> list[Line]:
    if not note:
        return [row]
    left = width - line_width(row) - _GAP
    if width_of(note) <= left:
        return [(*row, Span(" " * _GAP), Span(note, Tone.MUTED))]
    indent = _INDENT + 4
    if width - indent < _MINIMUM_NOTE_WIDTH:
        return [row]
    below = fold(note, width - indent)[:_MOST_NOTE_LINES]
    return [row, *(line(" " * indent, Span(words, Tone.MUTED)) for words in below)]


def _right_stripped(row: Line) -> Line:
    spans = list(row)
    while spans and not spans[-1].text.strip():
        spans.pop()
    if spans:
        spans[-1] = Span(spans[-1].text.rstrip(), spans[-1].tone)
    return tuple(spans)


def _component_lines(status: dict[str, Any]) -> list[Line]:
    """Only the agents that are not as they should be."""
    lines = [
        line(
            "  ",
            Span(symbol_of(state), tone_of(state)),
            f" {component_title(name)} is {state}",
        )
        for name, state in (status.get("components") or {}).items()
        if state != "ready"
    ]
    return [(), *lines] if lines else []


def _notes(status: dict[str, Any]) -> list[Line]:
    notes = [line("  ", clean(str(note))) for note in status.get("notes") or []]
    return [(), *notes] if notes else []


def _runtime_lines(services: list[dict[str, Any]], width: int) -> list[Line]:
    """Why services run as they do, a line a reason: ``redis, nats: container; Podman works and has the image``."""
    names: dict[tuple[str, str], list[str]] = {}
    for service in services:
        reason = clean(str(service.get("runtime_reason") or ""))
        if reason:
            key = (clean(str(service.get("runtime") or "")), reason)
            names.setdefault(key, []).append(clean(str(service["name"])))
    lines = [
        line(" " * (_INDENT + 2), Span(words, Tone.MUTED))
        for (runtime, reason), served in names.items()
        for words in fold(f"{', '.join(served)}: {runtime}; {reason}", width - _INDENT - 2)
    ]
    return [(), *lines] if lines else []


def _advice(services: list[dict[str, Any]], stack: str) -> list[Line]:
    """What to type about services that will not get well by themselves."""
    failed = [clean(str(service["name"])) for service in services if service["state"] == "failed"]
    if not failed:
        return []
    option = "" if stack == "default" else f" --stack {clean(stack)}"
    rows = [(f"prismctl dev logs {name}{option}", "what it printed") for name in failed]
    rows.append((f"prismctl dev restart {' '.join(failed)}{option}", "tries again"))
    command_width = max(width_of(command) for command, _ in rows)
    return [
        (),
        *(
            line(
                "  ", Span(pad(command, command_width), Tone.STRONG), Span(f"   {why}", Tone.MUTED)
            )
            for command, why in rows
        ),
    ]
