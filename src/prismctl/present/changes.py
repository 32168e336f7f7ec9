"""What a change of a running stack takes along, and what it leaves behind, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.present.listing import table_lines
from prismctl.present.text import Line, Span, Tone, clean, line
from prismctl.present.units import list_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.domain.service import ServiceName

SCHEMA_VERSION: Final = 1


def render_addable(services: Mapping[ServiceName, tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """What could be added as a document; each with what it is for and what comes along with it."""
    return {
        "schema": SCHEMA_VERSION,
        "services": [
            {"name": name, "description": purpose, "brings": list(brings)}
            for name, (purpose, brings) in services.items()
        ],
    }


def addable_lines(
    services: Mapping[ServiceName, tuple[str, Sequence[str]]], *, width: int
) -> list[Line]:
    """The same as rows."""
    if not services:
        return [line(Span("all that the catalog has runs already", Tone.MUTED))]
    rows = [(name, ", ".join(brings), purpose) for name, (purpose, brings) in services.items()]
    return table_lines(("SERVICE", "COMES ALONG", "WHAT IT IS"), rows, width=width)


def dependents_lines(dependents: Mapping[ServiceName, ServiceName]) -> list[Line]:
    """Who needs what is to go: ``api needs redis, and web needs api``."""
    needs = [f"{clean(name)} needs {clean(needed)}" for name, needed in dependents.items()]
    return [line(list_of(needs))]


def removal_lines(
    *,
    with_data: Sequence[str],
    left: Mapping[ServiceName, ServiceName],
    option: str,
) -> list[Line]:
    """What stays of services that were removed.

    Args:
        with_data: those that left data behind.
        left: what came along only for them and runs on, each with the one it came along with.
        option: what a suggested command needs to be about this stack.
    """
    lines: list[Line] = []
    if with_data:
        names = " ".join(clean(name) for name in with_data)
        whose = "its data stays" if len(with_data) == 1 else "their data stays"
        them = "it" if len(with_data) == 1 else "them"
        words = f"{whose}; `prismctl dev data reset {names}{option}` puts {them} aside"
        lines.append(line(Span(words, Tone.MUTED)))
    if left:
        names = " ".join(clean(name) for name in left)
        whom = list_of([clean(name) for name in dict.fromkeys(left.values())])
        runs, them = ("runs", "it") if len(left) == 1 else ("run", "them")
        words = (
            f"{list_of([clean(name) for name in left])} came along only for {whom} and {runs} on; "
        )
        words += f"`prismctl dev remove {names}{option}` removes {them}, too"
        lines.append(line(Span(words, Tone.MUTED)))
    return lines
