"""What became of a foreign file: entries of the catalog, and everything that somebody has to be told about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from prismctl.domain.problems import NOWHERE, Place

if TYPE_CHECKING:
    from prismctl.domain.service import ServiceName


class SourceKind(StrEnum):
    """Which tool's file it is."""

    COMPOSE = "compose"
    PROCFILE = "procfile"


class RemarkKind(StrEnum):
    """What a remark is about."""

    LEFT_OUT = "left-out"
    """The catalog has nothing for it: the service does not have what the file asks for."""
    CHANGED = "changed"
    """It is taken over, in a way that is worth knowing."""
    PROPOSED = "proposed"
    """It is written otherwise than in the file, because services find each other by reference here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to know about a translation, with its place in the file that was translated."""

    kind: RemarkKind
    service: str
    """Its name in the file; empty: the file as a whole."""
    subject: str
    """What it is about, usually a key: ``build``, ``ports``."""
    message: str
    """What becomes of it, and why; no full stop."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedService:
    """One service, as an entry of the catalog."""

    name: ServiceName
    source_name: str
    """What the file calls it."""
    place: Place
    """Where the file describes it."""
    entry: dict[str, Any] = field(default_factory=dict)
    """Keys of the catalog in the order in which they are written, ``name`` first."""
    held_back: str = ""
    """Why nobody wants it started with the others; empty: it is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A whole file."""

    kind: SourceKind
    file: str
    """As the user would name it."""
    services: tuple[ImportedService, ...]
    """In the order of the file."""
    remarks: tuple[Remark, ...]
    """In the order of the file."""

    @property
    def chosen(self) -> tuple[ImportedService, ...]:
        """What is started when all is."""
        return tuple(each for each in self.services if not each.held_back)

    @property
    def left_out(self) -> tuple[Remark, ...]:
        """What the entries lack."""
        return tuple(each for each in self.remarks if each.kind is RemarkKind.LEFT_OUT)
