"""What is chosen, as it would be once started; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.domain.service import SHORT_NAMES, ServiceType
from prismctl.present.text import Line, Span, Tone, clean, fold, line, pad, width_of
from prismctl.present.units import render_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.host_port import HostPort
    from prismctl.domain.picking import Picking
    from prismctl.domain.service import ServiceName

TITLES: Final = {
    ServiceType.CORE: "Core",
    ServiceType.BACKEND: "Backends",
    ServiceType.MESSAGING: "Messaging",
    ServiceType.PATTERN: "Patterns",
    ServiceType.OBSERVABILITY: "Observability",
    ServiceType.APPLICATION: "Applications",
    ServiceType.TOOL: "Tools",
}
"""In the order in which they are listed."""
_ALWAYS: Final = (ServiceType.CORE, ServiceType.BACKEND, ServiceType.MESSAGING)
_LABEL: Final = 15
_SHORT: Final = {full: short for short, full in SHORT_NAMES.items()}


@dataclass(frozen=True, slots=True)
class ServicePreview:
    """One service as it would be."""

    runtime: str
    reason: str = ""
    """Why that runtime; empty where there is nothing to choose."""
    ports: tuple[HostPort, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a plan says of a selection, and what this machine says of the plan."""

    engine: str = ""
    services: Mapping[ServiceName, ServicePreview]
    conflicts: Sequence[str] = ()
    """Ports that somebody has, with who."""
    problems: Sequence[str] = ()
    """Why it could not be started."""
    images: Sequence[str] = ()
    """To be pulled first."""
    startup: str = ""
    """How long it would take, in words."""
    explain: Callable[[ServiceName], str] = lambda _: ""
    """What is different about a service, and where that is written; empty: nothing is."""
    memory_bytes: int | None = None
    free_bytes: int | None = None


def preview_lines(picking: Picking, preview: Preview | None, width: int) -> list[Line]:
    """The preview's lines, by importance: what is in the way, what will start by type, what it costs, what else to know.

    Args:
        picking: what is chosen.
        preview: what is known about it; ``None`` while that is being found out.
        width: in cells, of the longest line.
    """
    selected = picking.selected
    lines = _obstacle_lines(preview, width) if preview is not None else []
    lines.append(line(Span("Will start", Tone.STRONG)))
    for kind, title in TITLES.items():
        names = [name for name in selected if picking.catalog.services[name].type is kind]
        if names or kind in _ALWAYS:
            words = ", ".join(_SHORT.get(name, name) for name in names) or "(none)"
            lines += _labelled(title, words, width)
    lines.append(())
    lines += _cost_lines(preview, width)
    if preview is not None:
        lines += _detail_lines(preview, width)
    return lines


def _cost_lines(preview: Preview | None, width: int) -> list[Line]:
    if preview is None:
        return [line(Span("looking…", Tone.MUTED))]
    lines = _labelled("Startup", _brief_startup(preview, width), width) if preview.startup else []
    if preview.memory_bytes is not None:
        words = render_bytes(preview.memory_bytes)
        if preview.free_bytes is not None:
            words += f" of {render_bytes(preview.free_bytes)} free"
        is_short = preview.free_bytes is not None and preview.memory_bytes > preview.free_bytes
        lines += _labelled("Memory", words, width, Tone.BAD if is_short else Tone.PLAIN)
    if preview.engine:
        lines += _labelled("Engine", preview.engine, width)
    return lines


def _brief_startup(preview: Preview, width: int) -> str:
    """How long it would take, on one line: how that is known stands among the details where it does not fit."""
    brief, _, _ = preview.startup.partition(" (")
    return preview.startup if width_of(preview.startup) <= _room(width) else brief


def _obstacle_lines(preview: Preview, width: int) -> list[Line]:
    lines: list[Line] = []
    for problem in preview.problems:
        lines += _marked("✗ ", problem, width, Tone.BAD)
    for conflict in preview.conflicts:
        lines += _marked("! ", conflict, width, Tone.BUSY)
    return lines


def _detail_lines(preview: Preview, width: int) -> list[Line]:
    lines: list[Line] = []
    for image in preview.images:
        lines += _marked("↓ ", f"pulls {image}", width, Tone.MUTED)
    for name, service in preview.services.items():
        if service.reason:
            words = f"{name}: {service.runtime}, {service.reason}"
            lines += _marked("· ", words, width, Tone.MUTED)
    if preview.startup != _brief_startup(preview, width):
        lines += _marked("· ", f"startup: {preview.startup}", width, Tone.MUTED)
    return [(), *lines] if lines else []


def _room(width: int) -> int:
    """Cells beside a label."""
    return max(8, width - _LABEL - 2)


def _labelled(label: str, words: str, width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    folded = fold(clean(words), _room(width)) or [""]
    first, *rest = folded
    return [
        line("  ", Span(pad(label, _LABEL), Tone.MUTED), Span(first, tone)),
        *(line(" " * (_LABEL + 2), Span(each, tone)) for each in rest),
    ]


def _marked(mark: str, words: str, width: int, tone: Tone) -> list[Line]:
    first, *rest = fold(clean(words), max(8, width - 4)) or [""]
    return [
        line("  ", Span(mark + first, tone)),
        *(line("    ", Span(each, tone)) for each in rest),
    ]
