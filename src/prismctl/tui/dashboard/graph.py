"""What needs what, drawn as a tree with the state of each service; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prismctl.domain.snapshot import GOOD_STATES
from prismctl.present.reason import note_of
from prismctl.present.text import Line, Span, Tone, clean, clip_line, line
from prismctl.present.wording import symbol_of_service, tone_of_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def graph_lines(services: Sequence[Mapping[str, Any]], *, selected: str, width: int) -> list[Line]:
    """Those that need nothing first, below each what needs it; one that needs several stands below the last of them.

    The others that it needs are named beside it, so that each service is there once.
    """
    by_name = {str(service["name"]): service for service in services}
    parents: dict[str, str] = {}
    for name, service in by_name.items():
        needed = [str(each) for each in service.get("depends_on") or () if str(each) in by_name]
        if needed:
            parents[name] = needed[-1]
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent, []).append(name)
    lines: list[Line] = []

    def draw(name: str, lead: str, branch: str, below: str) -> None:
        service = by_name[name]
        state = str(service["state"])
        others = [
            clean(str(each))
            for each in service.get("depends_on") or ()
            if each != parents.get(name)
        ]
        also = f"  needs {', '.join(others)}, too" if others else ""
        is_quiet = state in GOOD_STATES and not service.get("alarm")
        why = "" if is_quiet else note_of(service)
        tone = tone_of_service(service)
        lines.append(
            clip_line(
                line(
                    "  ",
                    Span(f"{lead}{branch}", Tone.MUTED),
                    Span(symbol_of_service(service), tone),
                    " ",
                    Span(clean(name), Tone.STRONG if name == selected else Tone.PLAIN),
                    Span(f"  {state}", tone),
                    Span(also, Tone.MUTED),
                    Span(f"  {why}" if why else "", Tone.MUTED),
                ),
                width,
            )
        )
        own = children.get(name, [])
        for index, child in enumerate(own):
            is_last = index == len(own) - 1
            draw(child, lead + below, "└─ " if is_last else "├─ ", "   " if is_last else "│  ")

    for name in by_name:
        if name not in parents:
            draw(name, "", "", "")
    return lines
