"""The kinds of values people write: each reads itself from a document and describes itself as JSON Schema.

A table of keys made of these is validator, schema and reference at once. Reading never stops at a mistake: it
is reported, the value becomes `INVALID` and is left out.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from prismctl.domain.problems import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.document import Path, Report

VARIABLE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
PORT_NAME_PATTERN: Final = r"^[a-z][a-z0-9_-]{0,30}$"
DURATION_PATTERN: Final = r"^(\d+(\.\d+)?)(ms|s|m|h)?$"

LARGEST_PORT: Final = 65535

_UNIT_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_DURATION_SECONDS: Final = 24 * 3600.0
_LARGEST_NUMBER: Final = 1e12


class _Invalid:
    """The value of what could not be read; already reported."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


class Shape(Protocol):
    """A kind of value."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The value as the program wants it, or `INVALID` once the mistake is reported."""

    def schema(self) -> dict[str, Any]:
        """The same kind as JSON Schema."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, for example a description or an image."""

    pattern: str = ""
    wanted: str = ""
    """What it has to look like, in words."""
    is_empty_allowed: bool = False
    max_length: int = 4096

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The text itself."""
        if not isinstance(value, str):
            report.value(path, f"{name_of(path)} is {describe(value)}, not a text")
            return INVALID
        if not value and not self.is_empty_allowed:
            report.value(path, f"{name_of(path)} is empty")
            return INVALID
        if "\0" in value:
            report.value(path, f"{name_of(path)} has a zero byte in it")
            return INVALID
        if len(value) > self.max_length:
            report.value(
                path,
                f"{name_of(path)} has {len(value)} letters; at most {self.max_length} are possible",
            )
            return INVALID
        if self.pattern and not re.fullmatch(self.pattern, value):
            report.value(path, f"{name_of(path)} `{shorten(value)}` is not {self.wanted}")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """A string."""
        schema: dict[str, Any] = {"type": "string"}
        if self.pattern:
            schema["pattern"] = self.pattern
        elif not self.is_empty_allowed:
            schema["minLength"] = 1
        return schema


@dataclass(frozen=True, slots=True)
class Written:
    """Any scalar, taken as the text it was written as: ``1.10`` and ``true`` are values of variables."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The text as written."""
        if value is None:
            return ""
        if isinstance(value, (dict, list)):
            report.value(path, f"{name_of(path)} is {describe(value)}, not a single value")
            return INVALID
        text = value if isinstance(value, str) else report.document.written.get(path, str(value))
        if "\0" in text:
            report.value(path, f"{name_of(path)} has a zero byte in it")
            return INVALID
        return text

    def schema(self) -> dict[str, Any]:
        """Any scalar."""
        return {"type": ["string", "number", "boolean", "null"]}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The truth value."""
        if not isinstance(value, bool):
            report.value(path, f"{name_of(path)} is {describe(value)}; write true or false")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The number."""
        what = name_of(path)
        if isinstance(value, bool) or not isinstance(value, int):
            report.value(path, f"{what} is {describe(value)}, not a whole number")
            return INVALID
        if not self.low <= value <= self.high:
            report.value(path, f"{what} {value} is not between {self.low} and {self.high}")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """An integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class PortNumber:
    """A port."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int):
            report.value(path, f"port is {describe(value)}, not a number")
            return INVALID
        if not 1 <= value <= LARGEST_PORT:
            report.value(path, f"port {value} is not between 1 and {LARGEST_PORT}")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """An integer."""
        return {"type": "integer", "minimum": 1, "maximum": LARGEST_PORT}


@dataclass(frozen=True, slots=True)
class Duration:
    """``10s``, ``500ms``, ``2m``, ``1h``, or a number of seconds."""

    is_zero_allowed: bool = False

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The seconds."""
        seconds = parse_duration(value)
        if seconds is None:
            report.value(
                path,
                f"{name_of(path)} {describe(value)} is no duration; write `10s`, `500ms`, `2m` or seconds",
            )
            return INVALID
        if seconds == 0 and not self.is_zero_allowed:
            report.value(path, f"{name_of(path)} is zero")
            return INVALID
        if seconds > _MAX_DURATION_SECONDS:
            report.value(path, f"{name_of(path)} is longer than a day")
            return INVALID
        return seconds

    def schema(self) -> dict[str, Any]:
        """A string or a number."""
        return {
            "anyOf": [
                {"type": "string", "pattern": DURATION_PATTERN},
                {"type": "number", "minimum": 0},
            ]
        }


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a closed set of names."""

    what: str
    names: tuple[str, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Names that other tools have for them: no good here, and what is meant is known."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The name."""
        if not isinstance(value, str):
            report.value(
                path, f"{name_of(path)} is {describe(value)}; one of {', '.join(self.names)}"
            )
            return INVALID
        if value in self.elsewhere:
            report.value(path, f"unknown {self.what} `{value}`", suggestion=self.elsewhere[value])
            return INVALID
        if value not in self.names:
            report.unknown_value(path, self.what, value, self.names)
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.names)}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; one value alone stands for a list of one where that is allowed."""

    item: Shape
    is_single_allowed: bool = False

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A tuple of what could be read."""
        if self.is_single_allowed and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            report.value(path, f"{name_of(path)} is {describe(value)}, not a list")
            return INVALID
        read = [self.item.read(each, (*path, index), report) for index, each in enumerate(value)]
        return tuple(each for each in read if each is not INVALID)

    def schema(self) -> dict[str, Any]:
        """An array."""
        array: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        return {"anyOf": [{"type": "string"}, array]} if self.is_single_allowed else array


@dataclass(frozen=True, slots=True)
class Words:
    """A command line: a list of words, or one text that is split as a shell splits it. No shell runs."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A tuple of words."""
        if isinstance(value, str):
            try:
                words = tuple(shlex.split(value))
            except ValueError as error:
                report.value(
                    path, f"{name_of(path)} cannot be split into words: {str(error).lower()}"
                )
                return INVALID
            if "\0" in value:
                report.value(path, f"{name_of(path)} has a zero byte in it")
                return INVALID
        elif isinstance(value, list):
            words = ListOf(Written()).read(value, path, report)
        else:
            report.value(
                path, f"{name_of(path)} is {describe(value)}; write a list of words or one text"
            )
            return INVALID
        return words

    def schema(self) -> dict[str, Any]:
        """A string or an array."""
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": Written().schema()}]}


@dataclass(frozen=True, slots=True)
class MapOf:
    """Keys of the user's own choice, each with a value of one kind."""

    key_pattern: str
    key_wanted: str
    value: Shape

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A dict of what could be read."""
        if not isinstance(value, dict):
            report.value(path, f"{name_of(path)} is {describe(value)}, not a mapping")
            return INVALID
        read = {}
        for key, each in value.items():
            if not isinstance(key, str) or not re.fullmatch(self.key_pattern, key):
                report.key((*path, key), f"`{shorten(key)}` is not {self.key_wanted}")
                continue
            result = self.value.read(each, (*path, key), report)
            if result is not INVALID:
                read[key] = result
        return read

    def schema(self) -> dict[str, Any]:
        """An object with any keys that fit."""
        return {
            "type": "object",
            "patternProperties": {self.key_pattern: self.value.schema()},
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping."""

    shape: Shape
    description: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known keys; ``x-…`` is left to the user."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    """Words of another tool: the key that is meant, or a sentence on why there is none."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """A dict of what could be read; `INVALID` when it is no mapping."""
        if not isinstance(value, dict):
            report.value(path, f"{name_of(path)} is {describe(value)}, not a mapping")
            return INVALID
        read = {}
        for name, each in value.items():
            key = self.keys.get(name) if isinstance(name, str) else None
            if key is None:
                if not str(name).startswith("x-"):
                    self._refuse((*path, name), report)
                continue
            if each is None:
                # `depends_on:` with everything below it commented out means what its absence means.
                continue
            result = key.shape.read(each, (*path, name), report)
            if result is not INVALID:
                read[name] = result
        for name, key in self.keys.items():
            if key.is_required and value.get(name) is None:
                report.key(path, f"`{name}` is missing")
        return read

    def _refuse(self, path: Path, report: Report) -> None:
        word = str(path[-1])
        meant = self.foreign.get(word, "")
        if meant in self.keys:
            report.key(path, f"unknown key `{word}`", suggestion=meant)
        elif meant:
            report.key(path, f"unknown key `{word}`: {meant}")
        else:
            report.unknown_key(path, self.keys)

    def schema(self) -> dict[str, Any]:
        """An object with known properties."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                name: {"description": key.description, **_or_null(key.shape.schema(), key)}
                for name, key in self.keys.items()
            },
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
        }
        required = [name for name, key in self.keys.items() if key.is_required]
        return {**schema, "required": required} if required else schema


def _or_null(schema: dict[str, Any], key: Key) -> dict[str, Any]:
    return schema if key.is_required else {"anyOf": [schema, {"type": "null"}]}


def name_of(path: Path) -> str:
    """What a message calls the value at a path: its key, or its number in a list."""
    if not path:
        return "the file"
    return f"item {path[-1] + 1}" if isinstance(path[-1], int) else path[-1]


def parse_duration(value: object) -> float | None:
    """Seconds of ``10s``, ``500ms``, ``2m``, ``1h`` or a number; ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        # The comparison also refuses a NaN, and a whole number too large for a float.
        return float(value) if 0 <= value <= _LARGEST_NUMBER else None
    match = re.fullmatch(DURATION_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        return None
    return float(match[1]) * _UNIT_SECONDS[match[3] or "s"]


def describe(value: object) -> str:
    """A value of the wrong kind, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"`{shorten(value)}`" if value else "empty"
    return f"`{shorten(value)}`"
