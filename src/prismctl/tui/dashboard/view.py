"""The part of a pane that is seen; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prismctl.present.text import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Some of the lines of a pane, and where among all of them they are."""

    title: str
    lines: list[Line]
    top: int = 0
    """The number of the first that is seen."""
    first: int = 0
    """The number of the first that there is."""
    end: int = 0
    """That of the one after the last."""
    cursor: int | None = None
    """The number of the line under the cursor."""
    remark: str = ""
