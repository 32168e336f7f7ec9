"""The list of the picker: which services are in it, in which order, and how each is written; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.domain.picking import CHOSEN
from prismctl.domain.selection import REQUIRED
from prismctl.present.text import Line, Span, Tone, clean, line, pad, width_of
from prismctl.tui.picker.preview import TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.offering import Catalog
    from prismctl.domain.service import ServiceDefinition, ServiceName, ServiceType
    from prismctl.tui.picker.preview import Preview

_LONGEST_NAME: Final = 32


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


def name_width(catalog: Catalog) -> int:
    """How wide the names' column is."""
    longest = max((width_of(name) for name in catalog.services), default=0)
    return min(longest, _LONGEST_NAME)


def row_line(
    row: Row,
    catalog: Catalog,
    selected: Mapping[ServiceName, str],
    preview: Preview | None,
    names: int,
) -> Line:
    """One row: a heading's title, or mark, name, port, what runs it, and why it is in."""
    if row.service is None:
        return line(Span(TITLES[row.group], Tone.MUTED))
    definition = catalog.services[row.service]
    why = selected.get(row.service)
    name = Span(pad(clean(row.service), names), Tone.PLAIN if why is None else Tone.STRONG)
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
        Span(pad(port, 6), Tone.ACCENT),
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


def _ports_of(definition: ServiceDefinition) -> tuple[int, ...]:
    return tuple(port.number for port in definition.ports if port.number is not None)
