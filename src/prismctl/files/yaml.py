"""Reads YAML that people wrote into plain values that know where they stood. It and `yaml_change` alone know YAML.

Only a stream of parser events is taken from the library; the tree is built here, because that is where the bounds
are: on size, depth, aliases and duplicate keys. Numbers, truth values and nulls are those of YAML 1.2's core schema:
``no`` and ``on`` are texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from prismctl.domain.document import Document, Path, Position
from prismctl.domain.problems import Place, shorten
from prismctl.errors import ConfigError, Problem
from prismctl.files.text import name_for_people, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000
"""Values after aliases are followed: a few lines of aliases can stand for billions."""

_NEVER_WRAP: Final = 1 << 20

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_TRUE: Final = re.compile(r"true|True|TRUE")
_FALSE: Final = re.compile(r"false|False|FALSE")
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


def load_document(path: FilePath) -> Document:
    """A file as plain values with positions.

    Raises:
        ConfigError: it is no YAML, or not of the kind that is read here.
        PrismError: it cannot be read.
    """
    return parse_document(read_text(path), path)


def parse_document(text: str, path: FilePath) -> Document:
    """The text of a file as plain values with positions.

    Raises:
        ConfigError: it is no YAML, or not of the kind that is read here.
    """
    shown = name_for_people(path)
    builder = _Builder(shown)
    tree = builder.build(parse_events(text, shown))
    return Document(
        tree=tree,
        file=shown,
        directory=str(path.absolute().parent),
        keys=builder.keys,
        values=builder.values,
        written=builder.written,
    )


def with_value(text: str, key: str, value: str) -> str:
    """The text with a value for a key at its top; every other line and comment stays as it is.

    The text must be one that `parse_document` accepts, with a mapping at its top or nothing at all.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    editor = YAML(typ="rt")
    editor.preserve_quotes = True
    editor.width = _NEVER_WRAP
    tree = editor.load(text)
    if tree is None:
        # Nothing, or nothing but comments.
        start = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{start}{key}: {value}\n"
    tree[key] = value
    written = StringIO()
    editor.dump(tree, written)
    return written.getvalue()


class Items(NamedTuple):
    """Where the items of a list stand in a text."""

    indent: int
    """How far their dashes are indented."""
    spans: tuple[tuple[int, int], ...]
    """First line and the line after the last one of each, counted from 0; comments between them belong to none."""
    insert_at: int
    """The line before which another item would be the last one."""


def find_items(text: str, key: str, path: FilePath) -> Items | None:
    """Where the items of the list at a key at the top stand; ``None`` where there is no such key.

    The text must be one that `parse_document` accepts.

    Raises:
        ConfigError: the list is written in brackets, so that its items have no lines of their own.
    """
    shown = name_for_people(path)
    lines = text.splitlines()
    events = parse_events(text, shown)
    for event in events:
        if type(event).__name__ == "MappingStartEvent":
            break
    while (event := next(events, None)) is not None and hasattr(event, "value"):
        line_of_key, is_wanted = event.start_mark.line, event.value == key
        value = next(events)
        if not is_wanted:
            _skip(value, events)
        elif type(value).__name__ == "SequenceStartEvent" and not value.flow_style:
            return _find_spans(events, lines)
        elif type(value).__name__ == "ScalarEvent":
            # Nothing but the key, or the word for nothing.
            return Items(_INDENT, (), line_of_key + 1)
        else:
            place = Place(shown, value.start_mark.line + 1, value.start_mark.column + 1)
            _refuse(f"{key} is written in brackets; write each item in lines of its own", place)
    return None


_INDENT: Final = 2


def _find_spans(events: Iterator[Any], lines: list[str]) -> Items:
    spans: list[tuple[int, int]] = []
    indent = _INDENT
    while type(event := next(events)).__name__ != "SequenceEndEvent":
        first = event.start_mark.line
        # An item may begin below its dash.
        while not lines[first].lstrip().startswith("-"):
            first -= 1
        indent = len(lines[first]) - len(lines[first].lstrip())
        spans.append((first, _skip(event, events) + 1))
    return Items(indent, tuple(spans), spans[-1][1])


def _skip(event: Any, events: Iterator[Any]) -> int:
    """Pass over a value; the last line that any part of it stands in, counted from 0."""
    depth = 0
    last: int = event.start_mark.line
    while True:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent")
        depth -= kind.endswith("EndEvent")
        begin, end = event.start_mark, event.end_mark
        # The end of what is written in lines has no width, and is where the next thing begins.
        if begin.index < end.index:
            is_before_next = end.column == 0 and end.line > begin.line
            last = max(last, end.line - is_before_next)
        if depth == 0:
            return last
        event = next(events)


def _refuse(message: str, place: Place, *, hint: str = "") -> NoReturn:
    raise ConfigError(
        [Problem(message=message, file=place.file, line=place.line, column=place.column)], hint=hint
    )


def parse_events(text: str, shown: str) -> Iterator[Any]:
    """The parser's events of a text; each knows where it begins and ends.

    Raises:
        ConfigError: it is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"has a character that YAML does not allow: {error.character!r:.20}"
        raise ConfigError([Problem(message=message, file=shown, line=line)]) from error
    except MarkedYAMLError as error:
        _refuse_syntax(error, text, shown)
    except (YAMLError, ValueError) as error:
        message = f"is no YAML: {shorten(error)}"
        raise ConfigError([Problem(message=message, file=shown)]) from error


def _refuse_syntax(error: Any, text: str, shown: str) -> NoReturn:
    from prismctl.files.yaml_words import Trouble, explain

    def position(mark: Any) -> Position:
        return (mark.line + 1, mark.column + 1)

    start, end = error.context_mark, error.problem_mark or error.context_mark
    found = explain(
        Trouble(
            problem=str(error.problem or error.context or ""),
            place=position(end) if end else (0, 0),
            start=position(start) if start else None,
            lines=text.splitlines(),
        )
    )
    line, column = found.place
    problem = Problem(message=found.message, file=shown, line=line, column=column)
    raise ConfigError([problem], hint=found.hint) from error


class _Builder:
    """Builds the tree from events, and remembers where everything stood."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.keys: dict[Path, Position] = {}
        self.values: dict[Path, Position] = {}
        self.written: dict[Path, str] = {}
        self.anchors: dict[str, list[Any]] = {}
        """The events of each anchored value: an alias is read as if they stood there."""
        self.recording: list[list[Any]] = []
        self.count = 0
        self.source: Iterator[Any] = iter(())

    def build(self, events: Iterator[Any]) -> object:
        """The one document among the events.

        Raises:
            ConfigError: there is none, or more than one, or it is out of bounds.
        """
        self.source = events
        tree: object = None
        documents = 0
        for event in self.source:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    _refuse(
                        "a second document begins here; one file holds one",
                        self._place(event),
                        hint="take the line `---` away, or put what follows in a file of its own",
                    )
                tree = self._value(self._next(), ())
        if documents == 0 or tree is None:
            _refuse(
                "is empty",
                Place(self.shown),
                hint="write something into it, or take the file away",
            )
        return tree

    def _next(self) -> Any:
        event = next(self.source)
        for recorded in self.recording:
            recorded.append(event)
        return event

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.shown, mark.line + 1, mark.column + 1)

    def _value(self, event: Any, path: Path) -> object:
        self.count += 1
        if self.count > MAX_VALUES:
            _refuse(f"has more than {MAX_VALUES} values, aliases followed", self._place(event))
        if len(path) > MAX_DEPTH:
            _refuse(f"is nested more than {MAX_DEPTH} deep", self._place(event))
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event, path)
        _, line, column = self._place(event)
        self.values.setdefault(path, (line, column))
        if event.anchor is None:
            return self._plain_value(kind, event, path)
        recorded: list[Any] = [event]
        # An alias inside the value it belongs to would never end: until it is complete, it is not known.
        self.anchors.pop(event.anchor, None)
        self.recording.append(recorded)
        value = self._plain_value(kind, event, path)
        self.recording.remove(recorded)
        self.anchors[event.anchor] = recorded
        return value

    def _plain_value(self, kind: str, event: Any, path: Path) -> object:
        if kind == "ScalarEvent":
            return self._scalar(event, path)
        if kind == "SequenceStartEvent":
            return self._sequence(path)
        return self._mapping(path)

    def _alias(self, event: Any, path: Path) -> object:
        recorded = self.anchors.get(event.anchor)
        if recorded is None:
            _refuse(
                f"alias `*{shorten(event.anchor)}` names nothing above it",
                self._place(event),
                hint="put a text that begins with `*` in quotes; `&NAME` makes what `*NAME` repeats",
            )
        _, line, column = self._place(event)
        self.values.setdefault(path, (line, column))
        outside, self.source = self.source, iter(recorded)
        recording, self.recording = self.recording, []
        value = self._value(_without_anchor(next(self.source)), path)
        self.source, self.recording = outside, recording
        return value

    def _scalar(self, event: Any, path: Path) -> object:
        text: str = event.value
        tag = str(event.ctag) if event.ctag is not None else None
        if tag == _TEXT_TAG:
            return text
        if tag not in {None, "None", "!", ""}:
            _refuse(
                f"tag `{shorten(tag)}` is not understood",
                self._place(event),
                hint="put a text that begins with `!` in quotes",
            )
        is_plain = event.implicit[0]
        value = resolve_scalar(text) if is_plain else text
        if not isinstance(value, str):
            self.written[path] = text
        return value

    def _sequence(self, path: Path) -> list[object]:
        items: list[object] = []
        while type(event := self._next()).__name__ != "SequenceEndEvent":
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[object, object]:
        mapping: dict[object, object] = {}
        merged: list[object] = []
        while type(event := self._next()).__name__ != "MappingEndEvent":
            if type(event).__name__ != "ScalarEvent":
                _refuse(
                    "a key has to be a single word",
                    self._place(event),
                    hint="put a text that begins with a bracket in quotes",
                )
            key = event.value if not event.implicit[0] else resolve_scalar(event.value)
            is_merge = event.implicit[0] and event.value == "<<"
            key = key if isinstance(key, str) else event.value
            place = self._place(event)
            where = (*path, key)
            if key in mapping and not is_merge:
                first = self.keys.get(where, (0, 0))[0]
                _refuse(
                    f"key `{shorten(key)}` is there twice; first in line {first}",
                    place,
                    hint="take one of them away, or put both values below one",
                )
            self.keys.setdefault(where, (place.line, place.column))
            value = self._value(self._next(), where)
            if is_merge:
                merged += value if isinstance(value, list) else [value]
                self.keys.pop(where)
            else:
                mapping[key] = value
        for source in merged:
            if not isinstance(source, dict):
                _refuse("`<<` merges mappings only", Place(self.shown, *self.values[path]))
            for key, value in source.items():
                mapping.setdefault(key, value)
        return mapping


def _without_anchor(event: Any) -> Any:
    import copy

    plain = copy.copy(event)
    plain.anchor = None
    return plain


def resolve_scalar(text: str) -> object:
    """What an unquoted word of YAML 1.2 stands for."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _WHOLE.fullmatch(text):
        is_decimal = text.lstrip("+-").isdigit()
        return int(text) if is_decimal else int(text, 0)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text
