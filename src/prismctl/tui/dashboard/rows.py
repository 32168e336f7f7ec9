"""The table of services: which columns fit, and how each service is written in them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.present.port_words import main_port_of
from prismctl.present.reason import note_of
from prismctl.present.text import (
    Line,
    Span,
    Tone,
    clean,
    clip,
    clip_line,
    line,
    pad,
    pad_left,
    width_of,
)
from prismctl.present.units import UNKNOWN, render_bytes, render_latency, render_percent
from prismctl.present.wording import symbol_of_service, tone_of_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.tui.dashboard.state import DashboardState

_LEAD: Final = 4
"""Mark of the cursor, symbol, and a space after each."""
_GAP: Final = 2
_LONGEST_NAME: Final = 28
_SHORTEST_NAME: Final = 10
_LEAST_NOTE: Final = 14
SPARK_CELLS: Final = 10
_BARS: Final = "▁▂▃▄▅▆▇█"
_THOUSAND: Final = 1000


class Column(NamedTuple):
    """One column of figures."""

    title: str
    width: int
    """The same whatever is in it: nothing moves when a figure gets longer."""
    importance: int
    """Those with the lowest go first where a terminal is narrow."""
    cell: Callable[[Mapping[str, Any], Sequence[float | None]], str]
    is_number: bool = True


def _state_cell(service: Mapping[str, Any], _: Sequence[float | None]) -> str:
    replicas = service.get("replicas") or {}
    wanted = replicas.get("wanted") or 1
    state = str(service["state"])
    return state if wanted == 1 else f"{state} {replicas.get('healthy', 0)}/{wanted}"


def _port_cell(service: Mapping[str, Any], _: Sequence[float | None]) -> str:
    return main_port_of(service) or UNKNOWN


def render_rate(service: Mapping[str, Any]) -> str:
    """Requests a second with what they are: ``45 req/s``, ``1.2k ops/s``."""
    value = service.get("requests_per_second")
    if value is None:
        return UNKNOWN
    unit = service.get("requests_unit") or "req/s"
    if value >= 10 * _THOUSAND:
        number = f"{value / _THOUSAND:.0f}k"
    elif value >= _THOUSAND:
        number = f"{value / _THOUSAND:.1f}k"
    else:
        number = f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004 - one digit is too few below ten
    return f"{number} {unit}"


def sparkline(values: Sequence[float | None], cells: int = SPARK_CELLS) -> str:
    """The last values as bars, each in its place; a gap where nothing was measured, nothing where nothing ever was."""
    last = list(values)[-cells:]
    known = [value for value in last if value is not None]
    if not known:
        return ""
    highest = max(known)
    return "".join(
        " "
        if value is None
        else _BARS[round(value / highest * (len(_BARS) - 1))]
        if highest > 0
        else _BARS[0]
        for value in last
    )


def _is_measured(service: Mapping[str, Any]) -> bool:
    return service.get("pid") is not None or bool(service.get("memory_bytes"))


COLUMNS: Final = (
    Column("STATE", 9, 9, _state_cell, is_number=False),
    Column("PORT", 5, 8, _port_cell),
    Column("REQUESTS", 12, 6, lambda service, _: render_rate(service)),
    Column("", SPARK_CELLS, 2, lambda _, history: sparkline(history), is_number=False),
    Column("P95", 7, 4, lambda service, _: render_latency(service.get("latency_p95_seconds"))),
    Column(
        "MEM",
        7,
        5,
        lambda service, _: (
            render_bytes(service.get("memory_bytes")) if _is_measured(service) else UNKNOWN
        ),
    ),
    Column(
        "CPU",
        5,
        3,
        lambda service, _: (
            render_percent(service.get("cpu_percent")) if _is_measured(service) else UNKNOWN
        ),
    ),
    Column("RST", 3, 7, lambda service, _: str(service.get("restarts") or 0)),
)


class Table(NamedTuple):
    """The columns of one screen, and their widths."""

    columns: tuple[Column, ...]
    names: int
    """How wide the names' column is."""
    states: int
    width: int


def fit_table(services: Sequence[Mapping[str, Any]], width: int) -> Table:
    """The columns that fit, the important ones kept."""
    longest = max((width_of(clean(str(service["name"]))) for service in services), default=0)
    names = max(len("SERVICE"), min(longest, _LONGEST_NAME))
    has_replicas = any(((s.get("replicas") or {}).get("wanted") or 1) > 1 for s in services)
    states = 13 if has_replicas else 9
    columns = [_with_room_for_ports(column, services) for column in COLUMNS]

    def needed() -> int:
        return _LEAD + names + sum(_GAP + width_of_column(column, states) for column in columns)

    while len(columns) > 1 and needed() > width:
        columns.remove(min(columns, key=lambda column: column.importance))
    if needed() > width:
        names = max(_SHORTEST_NAME, names - (needed() - width))
    return Table(tuple(columns), names, states, width)


def _with_room_for_ports(column: Column, services: Sequence[Mapping[str, Any]]) -> Column:
    """Ports have a protocol behind them where it is not TCP; they stay what they are, so that nothing moves."""
    if column.title != "PORT":
        return column
    widest = max((width_of(column.cell(service, ())) for service in services), default=0)
    return column._replace(width=max(column.width, widest))


def width_of_column(column: Column, states: int) -> int:
    """How many cells a column has."""
    return states if column.title == "STATE" else column.width


def title_line(table: Table) -> Line:
    """What the columns are."""
    cells = "".join(
        " " * _GAP + _padded(column, column.title, table.states) for column in table.columns
    )
    return clip_line(
        line(" " * _LEAD, Span(f"{pad('SERVICE', table.names)}{cells}", Tone.MUTED)), table.width
    )


def _padded(column: Column, text: str, states: int) -> str:
    width = width_of_column(column, states)
    return pad_left(text, width) if column.is_number else pad(text, width)


def room_for_note(table: Table) -> int:
    """How many cells there are behind the columns."""
    cells = sum(_GAP + width_of_column(column, table.states) for column in table.columns)
    return table.width - _LEAD - table.names - cells - _GAP


def row_line(
    service: Mapping[str, Any],
    history: Sequence[float | None],
    table: Table,
    *,
    is_selected: bool,
    is_stale: bool,
) -> Line:
    """One service: mark, symbol, name, figures, and why it is not well as far as there is room."""
    tone = Tone.MUTED if is_stale else tone_of_service(service)
    other = Tone.MUTED if is_stale else Tone.PLAIN
    name = clip(clean(str(service["name"])), table.names)
    spans = [
        Span("▸ " if is_selected else "  ", Tone.ACCENT),
        Span(f"{symbol_of_service(service)} ", tone),
        Span(pad(name, table.names), Tone.STRONG if is_selected and not is_stale else other),
    ]
    for column in table.columns:
        text = _padded(column, column.cell(service, history), table.states)
        own = tone if column.title == "STATE" else other
        own = Tone.MUTED if text.strip() == UNKNOWN else own
        own = Tone.ACCENT if not column.title and not is_stale else own
        spans += [Span(" " * _GAP), Span(text, own)]
    note = note_of(service)
    left = room_for_note(table)
    if note and left >= _LEAST_NOTE:
        is_news = service.get("alarm") and not is_stale
        spans += [Span(" " * _GAP), Span(clip(note, left), Tone.BAD if is_news else Tone.MUTED)]
    return clip_line(tuple(spans), table.width)


def visible_rows(state: DashboardState, room: int) -> tuple[int, list[Mapping[str, Any]]]:
    """The services in view, with the cursor among them; and the number of the first."""
    shown = state.shown
    names = [service["name"] for service in shown]
    here = names.index(state.selected) if state.selected in names else 0
    if len(shown) <= room:
        return 0, shown
    # Whole pages, so that the list stands still while the cursor moves in it.
    page = max(1, room)
    first = min(here // page * page, len(shown) - page)
    return first, shown[first : first + page]
