"""What a start does to what runs already, before it does so: lines of the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.disturbance import DisturbanceKind
from prismctl.present.events import action_line
from prismctl.present.text import Line, Span, Tone, clean, fold, line, pad, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.disturbance import Disturbance

_MINIMUM_REASON_WIDTH = 16


def plain_disturbance_lines(disturbances: Sequence[Disturbance]) -> list[Line]:
    """For a pipe: ``restart  web port 8080 → 8081``."""
    return [
        action_line(
            each.kind.value,
            clean(f"{each.service} {each.why}".rstrip()),
            Tone.BUSY if each.is_loss else Tone.MUTED,
        )
        for each in disturbances
    ]


def disturbance_lines(disturbances: Sequence[Disturbance], *, width: int) -> list[Line]:
    """For people: a title, then a row each; nothing where nothing is disturbed."""
    if not disturbances:
        return []
    kind_width = max(len(kind) for kind in DisturbanceKind)
    name_width = max(width_of(clean(each.service)) for each in disturbances)
    indent = 2 + kind_width + 2 + name_width + 3
    lines = [line(Span("of what runs already:", Tone.BUSY))]
    for each in disturbances:
        words = fold(clean(each.why), max(width - indent, _MINIMUM_REASON_WIDTH)) or [""]
        lines.append(
            line(
                "  ",
                Span(pad(each.kind.value, kind_width), Tone.BUSY),
                "  ",
                Span(pad(clean(each.service), name_width), Tone.STRONG),
                "   ",
                Span(words[0], Tone.MUTED),
            )
        )
        lines += [line(" " * indent, Span(rest, Tone.MUTED)) for rest in words[1:]]
    return lines
