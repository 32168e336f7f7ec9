"""What somebody wrote, as plain values that still know where they stood. No file format is known here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prismctl.domain.problems import Place, Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str | int, ...]
"""Keys and list indexes from the top down to a value."""

Position = tuple[int, int]
"""Line and column, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A tree of dicts, lists and scalars with the positions of its keys and values."""

    tree: object
    file: str
    """As the user would name it."""
    directory: str = ""
    """Absolute; relative paths in the document start here."""
    keys: Mapping[Path, Position] = field(default_factory=dict)
    values: Mapping[Path, Position] = field(default_factory=dict)
    written: Mapping[Path, str] = field(default_factory=dict)
    """How scalars that are not texts were written: ``1.10`` is a version, not 1.1."""

    def place_of_value(self, path: Path) -> Place:
        """Where the value stands; where what contains it does, for a value that is not there."""
        while path and path not in self.values:
            path = path[:-1]
        return Place(self.file, *self.values.get(path, (0, 0)))

    def place_of_key(self, path: Path) -> Place:
        """Where the key stands; a list item's value stands for itself."""
        return (
            Place(self.file, *self.keys[path]) if path in self.keys else self.place_of_value(path)
        )

    def mapping_at(self, path: Path) -> Mapping[Any, Any]:
        """The mapping that is written there, its mistakes included; an empty one where there is something else."""
        value: Any = self.tree
        for step in path:
            value = value[step]
        return value if isinstance(value, dict) else {}


class Report:
    """Takes note of what is wrong with a document, at its place and with its subject."""

    __slots__ = ("document", "problems", "subject")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = Problems()
        self.subject = ""
        """The service that is being read; put before every message."""

    def has_refused(self, keys: Iterable[str], given: Mapping[str, Any], path: Path) -> bool:
        """Whether an entry writes one of the keys, and it was reported rather than taken: what follows from that is no news."""
        written = self.document.mapping_at(path)
        return any(key in written and key not in given for key in keys)

    def value(self, path: Path, message: str, *, suggestion: str = "") -> None:
        """Take note of a value that is wrong."""
        place = self.document.place_of_value(path)
        self.problems.add(self._lead(message), place, suggestion=suggestion)

    def key(self, path: Path, message: str, *, suggestion: str = "") -> None:
        """Take note of a key that is wrong."""
        place = self.document.place_of_key(path)
        self.problems.add(self._lead(message), place, suggestion=suggestion)

    def unknown_key(self, path: Path, names: Iterable[str]) -> None:
        """Take note of a key that does not exist."""
        place = self.document.place_of_key(path)
        self.problems.add_unknown("key", str(path[-1]), names, place, subject=self.subject)

    def unknown_value(self, path: Path, what: str, word: str, names: Iterable[str]) -> None:
        """Take note of a name that does not exist."""
        place = self.document.place_of_value(path)
        self.problems.add_unknown(what, word, names, place, subject=self.subject)

    def _lead(self, message: str) -> str:
        return f"{self.subject}: {message}" if self.subject else message
