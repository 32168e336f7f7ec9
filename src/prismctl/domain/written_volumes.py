"""Volumes as people write them: what a container sees of this machine, and where."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.interpolation import MARK
from prismctl.domain.shape import INVALID, Text

if TYPE_CHECKING:
    from prismctl.domain.document import Path, Report

_REFERENCE: Final = re.compile(r"(?<!\$)\$\{[^}]*\}")
_STAND_IN: Final = "/reference"
"""What a reference is taken for: it may hold a colon, and nobody knows yet what becomes of it."""
_PARTS: Final = ("host", "inside", "options")
_TEXT_PATTERN: Final = r"^[^:].*:[/$].*$|^\$\{.*\}$"


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """``HOST:CONTAINER``, with options such as ``ro`` behind another colon."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The text itself."""
        text = Text().read(value, path, report)
        if text is INVALID:
            return INVALID
        if mistake := _find_mistake(text):
            report.value(path, f"volume `{text}` {mistake}")
            return INVALID
        return text

    def schema(self) -> dict[str, Any]:
        """A text with both places in it."""
        return {"type": "string", "pattern": _TEXT_PATTERN}


def _find_mistake(text: str) -> str:
    """What is wrong with a volume; empty where nothing is, or where a reference decides."""
    parts = _REFERENCE.sub(_STAND_IN, text).split(":")
    if len(parts) == 1:
        if MARK in text:
            return ""
        inside = f"/{text.strip('./').rpartition('/')[2] or 'data'}"
        return f"names no place in the container; `{text}:{inside}` does"
    host, inside, *_ = parts
    if not host:
        return "names nothing of this machine before the colon; write `HOST:CONTAINER`"
    if not inside.startswith("/"):
        return f"has `{inside}` in the container, where a path begins with `/`"
    if len(parts) > len(_PARTS):
        return "has more than two colons; write `HOST:CONTAINER`, or `HOST:CONTAINER:ro`"
    return ""


def host_of(volume: str) -> str:
    """The part of a volume that is on this machine, references as they are written."""
    match = re.match(rf"(?:{_REFERENCE.pattern}|[^:])*", volume)
    return match[0] if match else ""
