"""Plain tables: rows of cells under a header, the last column taking what room is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.present.text import Line, Span, Tone, clean, clip_line, line, pad, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = "  "
_INDENT: Final = "  "


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[Line]:
    """The header and the rows in columns, each line at most ``width`` cells wide."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [
        max(width_of(row[index]) for row in [list(header), *cleaned])
        for index in range(len(header))
    ]
    lines = []
    for number, row in enumerate([list(header), *cleaned]):
        cells = [pad(cell, cells) for cell, cells in zip(row, widths, strict=True)]
        text = _GAP.join(cells).rstrip()
        tone = Tone.MUTED if number == 0 else Tone.PLAIN
        lines.append(clip_line(line(_INDENT, Span(text, tone)), width))
    return lines
