"""What can be started: the services of one catalog, under their full and short names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.problems import NOWHERE, Place
from prismctl.domain.service import SHORT_NAMES, ServiceName, full_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.document import Document
    from prismctl.domain.service import ServiceDefinition


class Version(NamedTuple):
    """A service as one file has left it, for the next one over it to change."""

    document: Document
    position: int
    """Of its entry in the document's list."""
    definition: ServiceDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All services that can be chosen, valid in themselves and among each other."""

    services: Mapping[ServiceName, ServiceDefinition]
    """In the file's order."""
    file: str
    """As the user would name it; with an overlay, both."""
    sources: tuple[str, ...] = ()
    """The catalog's file and the overlay over it, each as the user would name it; empty without an overlay."""
    directory: str = ""
    """Absolute; relative paths in the catalog start here."""
    is_generated: bool = False
    """Nobody has edited it."""
    entries: Mapping[ServiceName, tuple[Document, int]] = field(default_factory=dict)
    """Where each service is written: the document, and its place in the list; nothing for what ships."""
    versions: Mapping[ServiceName, tuple[Version, ...]] = field(default_factory=dict)
    """What each file that names a service made of it, the lowest first; nothing for what ships."""

    def find(self, word: str) -> ServiceDefinition | None:
        """The service of a full or a short name."""
        return self.services.get(self.full_name(word))

    def matching(self, words: Iterable[str]) -> Catalog:
        """The same with those services alone that have every word in their name, a tag or their description."""
        wanted = [word.lower() for word in words]
        found = {
            name: each
            for name, each in self.services.items()
            if all(_mentions(each, word) for word in wanted)
        }
        return replace(self, services=found)

    def full_name(self, word: str) -> ServiceName:
        """The name a word stands for; a service that is really called so goes before a short name."""
        return full_name(word, self.services)

    @property
    def names(self) -> tuple[ServiceName, ...]:
        """Full names in the file's order."""
        return tuple(self.services)

    @property
    def known_words(self) -> tuple[str, ...]:
        """Full and short names: what a misspelt word may have been meant to be."""
        shorts = (short for short, name in SHORT_NAMES.items() if name in self.services)
        return (*self.services, *shorts)

    def place(self, name: str, *path: str | int) -> Place:
        """Where a part of a service's entry stands; the file alone where that is not known."""
        if name not in self.entries:
            return NOWHERE if self.is_generated else Place((*self.sources, self.file)[0])
        document, index = self.entries[ServiceName(name)]
        return document.place_of_value(("services", index, *path))


def _mentions(service: ServiceDefinition, word: str) -> bool:
    """Whether a word in small letters is part of what a service is found by."""
    texts = (service.name, *service.tags, service.description)
    return any(word in text.lower() for text in texts)
