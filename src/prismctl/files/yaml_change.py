"""Changes values in YAML that people wrote: what stays the same keeps its lines, its spelling and its comments.

Entries that are gone leave with the line they stand in, new ones come after those they follow; nothing else moves. What
came out is read again before anybody gets it: where the text is written in a way that this cannot follow (aliases of
what goes, everything in one pair of braces), it is refused instead of being damaged.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prismctl.errors import ConfigError, Problem
from prismctl.files.text import name_for_people
from prismctl.files.yaml import parse_document, parse_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_INDENT: Final = 2
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_SENTENCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./,()+-]*( [A-Za-z0-9_./,()+-]+)*")
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Unquoted, one reader or another takes them for something else than a text."""
_LARGEST_SHORT: Final = 0xFFFF


class _Part(NamedTuple):
    """Where a value stands in a text, and what it is made of."""

    begin: int
    end: int
    """Behind its last letter; comments and blank lines after it are not part of it."""
    is_block: bool
    """A mapping or a list whose entries stand in lines of their own."""
    entries: dict[str, _Entry]
    items: tuple[_Part, ...]


class _Entry(NamedTuple):
    begin: int
    """Of the key."""
    value: _Part


def change_values(text: str, wanted: Mapping[str, Any], path: Path) -> str:
    """The text of a file with other values.

    Args:
        text: a mapping that `parse_document` accepts.
        wanted: all that shall be in it; what has no place yet comes after the key before it.
        path: of the file, for what is said about it.

    Raises:
        ConfigError: the text is written in a way that this change cannot be made in.
    """
    text = text if text.endswith("\n") else f"{text}\n"
    old: Any = parse_document(text, path).tree
    if is_same(old, wanted):
        return text
    root = _read_root(text, path)
    if not root.is_block:
        raise _refusal(path)
    change = _Change(text)
    change.merge(root, old, wanted)
    changed = change.render()
    try:
        result = parse_document(changed, path).tree
    except ConfigError as error:
        raise _refusal(path) from error
    if not is_same(result, wanted):
        raise _refusal(path)
    return changed


def render_values(values: Mapping[str, Any]) -> str:
    """Values as a text of their own, in the way people would write it."""
    return "".join(_render_entry(key, value, 0) for key, value in values.items())


def is_same(one: object, other: object) -> bool:
    """Whether two trees of plain values mean the same; ``true`` is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _refusal(path: Path) -> ConfigError:
    message = "is written in a way that this change cannot be made in; nothing was written"
    problem = Problem(message=message, file=name_for_people(path))
    return ConfigError([problem], hint=f"edit {name_for_people(path)} by hand")


def _read_root(text: str, path: Path) -> _Part:
    events = parse_events(text, name_for_people(path))
    for event in events:
        if type(event).__name__ == "MappingStartEvent":
            return _read_part(text, event, events)
    raise _refusal(path)


def _read_part(text: str, event: Any, events: Iterator[Any]) -> _Part:
    kind = type(event).__name__
    begin = end = event.start_mark.index
    entries: dict[str, _Entry] = {}
    items: list[_Part] = []
    is_block = kind.endswith("StartEvent") and not event.flow_style
    if kind == "MappingStartEvent":
        while type(key := next(events)).__name__ != "MappingEndEvent":
            value = _read_part(text, next(events), events)
            if value.begin == value.end:
                # Where nothing is written, the parser is at the next thing already.
                place = text.index(":", key.end_mark.index) + 1
                value = value._replace(begin=place, end=place)
            entries[key.value] = _Entry(key.start_mark.index, value)
            end = max(key.end_mark.index, value.end)
        end = end if is_block else key.end_mark.index
    elif kind == "SequenceStartEvent":
        while type(item := next(events)).__name__ != "SequenceEndEvent":
            part = _read_part(text, item, events)
            if part.begin == part.end:
                place = text.index("-", end) + 1
                part = part._replace(begin=place, end=place)
            items.append(part)
            end = part.end
        end = end if is_block else item.end_mark.index
    else:
        # A text in lines of its own ends where the next thing begins.
        end = begin + len(text[begin : event.end_mark.index].rstrip())
    return _Part(begin, end, is_block, entries, tuple(items))


class _Edit(NamedTuple):
    begin: int
    end: int
    text: str


class _Change:
    """Collects what has to be replaced where."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[_Edit] = []

    def render(self) -> str:
        """The text with all that was collected."""
        newline = "\r\n" if "\r\n" in self._text else "\n"
        parts = []
        done = 0
        # Stable: what is put into the same place stays in the order in which it was asked for.
        for edit in sorted(self._edits, key=lambda each: (each.begin, each.end)):
            parts += [self._text[done : edit.begin], edit.text.replace("\n", newline)]
            done = max(done, edit.end)
        return "".join([*parts, self._text[done:]])

    def merge(self, part: _Part, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Make one mapping in lines of its own another one; they have a key in common, or the first has none."""
        indent = self._column(part.begin)
        for key, entry in part.entries.items():
            if key not in new and key in old:
                self._put(self._line_start(entry.begin), self._line_end(entry.value.end), "")
        place = self._line_start(part.begin)
        for key, value in new.items():
            known = part.entries.get(key)
            if known is not None:
                place = self._line_end(known.value.end)
                if not is_same(old[key], value):
                    self._replace(key, known, old[key], value, indent)
            elif key not in old or not is_same(old[key], value):
                self._put(place, place, _render_entry(key, value, indent))

    def _replace(self, key: str, entry: _Entry, old: Any, new: Any, indent: int) -> None:
        part = entry.value
        is_mapping = part.is_block and isinstance(new, dict) and bool({*part.entries} & {*new})
        if is_mapping and isinstance(old, dict):
            self.merge(part, old, new)
        elif part.items and isinstance(new, list) and (kept := _find_kept(old, new)):
            added = new[len(kept) :]
            if part.is_block:
                self._change_lines(part, kept, added)
            else:
                self._change_brackets(part, kept, added)
        elif part.is_block:
            begin, end = self._line_start(entry.begin), self._line_end(part.end)
            self._put(begin, end, _render_entry(key, new, indent))
        elif part.begin == part.end and _is_in_lines(new):
            place = self._line_end(part.end)
            self._put(place, place, _render_entry(key, new, indent).partition("\n")[2])
        else:
            gap = " " if part.begin == part.end else ""
            self._put(part.begin, part.end, gap + render_value(new))

    def _change_lines(self, part: _Part, kept: Sequence[int], added: Sequence[Any]) -> None:
        for index, item in enumerate(part.items):
            if index not in kept:
                self._put(self._dash(item)[0], self._line_end(item.end), "")
        _, indent = self._dash(part.items[0])
        place = self._line_end(part.items[-1].end)
        self._put(
            place, place, "".join(f"{' ' * indent}- {render_value(each)}\n" for each in added)
        )

    def _change_brackets(self, part: _Part, kept: Sequence[int], added: Sequence[Any]) -> None:
        items = part.items
        before = -1
        for index in [*kept, len(items)]:
            if index > before + 1:
                if index < len(items):
                    self._put(items[before + 1].begin, items[index].begin, "")
                else:
                    self._put(items[before].end, items[-1].end, "")
            before = index
        place = items[kept[-1]].end
        self._put(place, place, "".join(f", {render_value(each)}" for each in added))

    def _dash(self, item: _Part) -> tuple[int, int]:
        """Where the line of an item's dash begins, and how far it is indented."""
        start = self._line_start(item.begin)
        # An item may begin below its dash.
        while start and not self._text.startswith("-", start + self._margin(start)):
            start = self._line_start(start - 1)
        return start, self._margin(start)

    def _margin(self, start: int) -> int:
        line = self._text[start : self._line_end(start)]
        return len(line) - len(line.lstrip(" "))

    def _column(self, place: int) -> int:
        return place - self._line_start(place)

    def _line_start(self, place: int) -> int:
        return self._text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        return self._text.index("\n", place) + 1

    def _put(self, begin: int, end: int, text: str) -> None:
        self._edits.append(_Edit(begin, end, text))


def _find_kept(old: Any, new: Sequence[Any]) -> list[int]:
    """Which items of a list stay, where the new list is some of the old items and then others; else none."""
    if not isinstance(old, list):
        return []
    kept = [index for index, each in enumerate(old) if any(is_same(each, other) for other in new)]
    return kept if is_same([old[index] for index in kept], new[: len(kept)]) else []


def _is_in_lines(value: object) -> bool:
    """Whether a value is written below its key."""
    if isinstance(value, dict):
        return bool(value)
    return (
        isinstance(value, list)
        and bool(value)
        and not any(isinstance(each, dict | list) for each in value)
    )


def _render_entry(key: str, value: Any, indent: int) -> str:
    lead = f"{' ' * indent}{render_value(key)}:"
    if not _is_in_lines(value):
        return f"{lead} {_render_line(value)}\n"
    inner = indent + _INDENT
    if isinstance(value, dict):
        lines = [_render_entry(name, each, inner) for name, each in value.items()]
    else:
        lines = [f"{' ' * inner}- {_render_line(each)}\n" for each in value]
    return "".join([f"{lead}\n", *lines])


def _render_line(value: object) -> str:
    """A value that has the rest of a line for itself: a plain sentence needs no quotes."""
    if isinstance(value, str) and _SENTENCE.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return render_value(value)


def render_value(value: object) -> str:
    """A value within a line."""
    if isinstance(value, dict):
        parts = (f"{render_value(key)}: {render_value(each)}" for key, each in value.items())
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, list):
        return f"[{', '.join(render_value(each) for each in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _WORD.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    # A JSON text is a YAML text, but for letters that YAML takes for line breaks or does not allow.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else _escape(each) for each in quoted)


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number <= _LARGEST_SHORT else f"\\U{number:08x}"
