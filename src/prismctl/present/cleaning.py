"""What `clean` would remove, and what became of it, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.counting import count_of
from prismctl.present.text import Line, Span, Tone, clean, line, pad, pad_left, width_of
from prismctl.present.units import render_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INDENT: Final = "  "
_GAP: Final = "   "
_CONDITIONS: Final = {
    "running": "runs",
    "unattended": "runs without its daemon",
    "left-behind": "ended without being stopped",
}


def plan_lines(document: Mapping[str, Any]) -> list[Line]:
    """Every path with its size, the total, and what stays."""
    lines: list[Line] = [
        line(
            Span("stops ", Tone.BUSY),
            f"stack {clean(stack['name'])}, which {_CONDITIONS[stack['condition']]}",
        )
        for stack in document["stacks"]
        if stack["condition"] in _CONDITIONS
    ]
    lines += [
        line(Span("removes ", Tone.BUSY), f"container {clean(name)}")
        for stack in document["stacks"]
        for name in stack.get("containers", ())
    ]
    lines += [()] if lines else []
    paths = document["paths"]
    lines += _rows([(render_bytes(each["bytes"]), each["what"], each["path"]) for each in paths])
    for image in document["images"]:
        lines.append(line(_INDENT, f"image {clean(image)}"))
    for packages in document["packages"]:
        words = f"{clean(packages['manager'])} packages {clean(', '.join(packages['names']))}"
        lines.append(line(_INDENT, words))
        lines.append(line(_INDENT, _INDENT, Span("with ", Tone.MUTED), clean(packages["command"])))
    if paths:
        total = f"{count_of(len(paths), 'path')}, {render_bytes(document['bytes'])}"
        lines += [(), line(Span(total, Tone.STRONG))]
    return [*lines, *kept_lines(document["kept"]), *_notes(document)]


def kept_lines(kept: Sequence[Mapping[str, str]]) -> list[Line]:
    """What stays, and why; below an empty line."""
    if not kept:
        return []
    rows = _rows([("stays", each["why"], each["path"]) for each in kept])
    return [(), *rows]


def result_lines(document: Mapping[str, Any]) -> list[Line]:
    """What was done."""
    lines = [line(f"swept {clean(what)}") for what in document["swept"]]
    if document["stopped"]:
        lines.append(line(f"stopped {clean(', '.join(document['stopped']))}"))
    removed = len(document["removed"])
    parts = [f"{count_of(removed, 'path')}, {render_bytes(document['freed_bytes'])}"]
    parts += [
        count_of(len(document[key]), noun)
        for key, noun in (("removed_images", "image"), ("removed_packages", "package"))
        if document[key]
    ]
    lines.append(line(Span(f"removed {', '.join(parts)}", Tone.STRONG)))
    lines += kept_lines(document["kept"])
    return [*lines, *_notes(document)]


def failure_words(failed: Iterable[Mapping[str, str]]) -> list[str]:
    """What is still there, and why, one line each."""
    return [f"{_INDENT}{each['path']}: {each['reason']}" for each in failed]


def _notes(document: Mapping[str, Any]) -> list[Line]:
    return [each for note in document["notes"] for each in ((), line(note))]


def _rows(rows: Sequence[tuple[str, str, str]]) -> list[Line]:
    """A short word, what it is, and its path; that one last and never cut, because it is there to be read."""
    words = max((width_of(word) for word, _, _ in rows), default=0)
    whats = max((width_of(clean(what)) for _, what, _ in rows), default=0)
    return [
        line(
            _INDENT,
            pad_left(word, words),
            _GAP,
            Span(pad(clean(what), whats), Tone.MUTED),
            _GAP,
            clean(path),
        )
        for word, what, path in rows
    ]
