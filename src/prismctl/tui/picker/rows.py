"""The list of the picker: which services are in it, in which order, and how each is written; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.host_port import PortProtocol
from prismctl.domain.picking import CHOSEN
from prismctl.domain.selection import REQUIRED
from prismctl.present.text import Line, Span, Tone, clean, line, pad, width_of
from prismctl.tui.picker.preview import TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.host_port import HostPort
    from prismctl.domain.offering import Catalog
    from prismctl.domain.service import ServiceDefinition, ServiceName, ServiceType
    from prismctl.tui.picker.preview import Preview

_LONGEST_NAME: Final = 32
_PORT: Final = len(":65535")
_UDP_PORT: Final = len(":65535/udp")


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, or a service."""

    group: ServiceType
    service: ServiceName | None = None


def list_rows(catalog: Catalog, words: str = "") -> tuple[Row, ...]:
    """The rows for what fits the words: by type, within a type by the catalog's order, or the best fit first.

    Args:
        catalog: what there is.
        words: what somebody looks for; every one has to fit.
    """
    fitting = {
        name: fit
        for name, each in catalog.services.items()
        if (fit := fit_of(each, words)) is not None
    }
    rows: list[Row] = []
    for kind in TITLES:
        names = [name for name in fitting if catalog.services[name].type is kind]
        if names:
            names.sort(key=lambda name: fitting[name])
            rows += [Row(kind), *(Row(kind, name) for name in names)]
    return tuple(rows)


def fit_of(definition: ServiceDefinition, words: str) -> int | None:
    """How well a service fits what is looked for, 0 is best; ``None``: it does not.

    Each word may be in the name, a tag or the description as it is, or have its letters in this order in the name.
    """
    total = 0
    for word in words.lower().split():
        fit = _fit_of_word(definition, word)
        if fit is None:
            return None
        total += fit
    return total


def _fit_of_word(definition: ServiceDefinition, word: str) -> int | None:
    name = definition.name.lower()
    if name.startswith(word):
        return 0
    if word in name:
        return 1
    if any(word in tag.lower() for tag in definition.tags):
        return 2
    if word in definition.description.lower():
        return 3
    letters = iter(name)
    return 4 if all(letter in letters for letter in word) else None


class Widths(NamedTuple):
    """How wide the columns are whose contents the catalog decides."""

    names: int
    ports: int


def fit_columns(catalog: Catalog) -> Widths:
    """The widths for a catalog: the same whatever is chosen of it, so that nothing moves."""
    longest = max((width_of(name) for name in catalog.services), default=0)
    has_udp = any(
        port.protocol is PortProtocol.UDP
        for each in catalog.services.values()
        for port in each.ports
    )
    return Widths(min(longest, _LONGEST_NAME), _UDP_PORT if has_udp else _PORT)


def row_line(
    row: Row,
    catalog: Catalog,
    selected: Mapping[ServiceName, str],
    preview: Preview | None,
    widths: Widths,
) -> Line:
    """One row: a heading's title, or mark, name, port, what runs it, and why it is in."""
    if row.service is None:
        return line(Span(TITLES[row.group], Tone.MUTED))
    definition = catalog.services[row.service]
    why = selected.get(row.service)
    name = Span(pad(clean(row.service), widths.names), Tone.PLAIN if why is None else Tone.STRONG)
    told = preview.services.get(row.service) if preview is not None else None
    ports = told.ports if told is not None else _ports_of(definition)
    port = f":{ports[0]}" if ports else ""
    runtime = told.runtime if told is not None else ""
    return line(
        "  ",
        _mark_of(why),
        " ",
        name,
        "  ",
        Span(pad(port, widths.ports), Tone.ACCENT),
        "  ",
        pad(runtime, 9),
        "  ",
        Span(_remark_of(definition, why), Tone.MUTED),
    )


def _mark_of(why: str | None) -> Span:
    if why is None:
        return Span("[ ]", Tone.MUTED)
    if why == REQUIRED:
        return Span("[■]", Tone.MUTED)
    return Span("[✓]", Tone.GOOD) if why == CHOSEN else Span("[+]", Tone.GOOD)


def _remark_of(definition: ServiceDefinition, why: str | None) -> str:
    if why is not None and why != CHOSEN:
        return why
    return clean(definition.description)


def _ports_of(definition: ServiceDefinition) -> tuple[HostPort, ...]:
    return tuple(port.wanted for port in definition.ports if port.wanted is not None)
