"""What would go with a clean, and what would stay, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prismctl.install.cleaning.removing import measure

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.install.manifest import InstalledPackages

NOT_OURS: Final = "not made by prismctl"
WITH_ALL: Final = "`--all` removes it"


class Kind(StrEnum):
    """What a path is there for."""

    STATE = "state"
    TOOL = "tool"
    SETTING = "setting"
    BOOKKEEPING = "bookkeeping"


class Removal(StrEnum):
    """How a path is removed."""

    TREE = "tree"
    """With all that is in it."""
    LOCK = "lock"
    """Unless somebody holds it."""
    EMPTY = "empty"
    """Unless something is in it by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A path to be removed, with all that is in it; of a link, the link."""

    path: Path
    kind: Kind
    what: str
    """What it is, in words."""
    size_bytes: int
    stack: str = ""
    """The stack it belongs to, which must have stopped before."""
    removal: Removal = Removal.TREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A path that stays, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningPlan:
    """What `clean` would do in one home."""

    stacks: tuple[str, ...] = ()
    """Every stack the home has, running or not."""
    targets: tuple[Target, ...] = ()
    """In the order in which they go."""
    last: tuple[Target, ...] = ()
    """What goes when nothing else is left that it accounts for."""
    emptied: tuple[Path, ...] = ()
    """Directories that go once they are empty, in this order; home is the last one."""
    images: tuple[str, ...] = ()
    packages: tuple[InstalledPackages, ...] = ()
    kept: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()
    """What else somebody may want to know."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.targets or self.last or self.images or self.packages)

    @property
    def size_bytes(self) -> int:
        """What removing the paths frees."""
        return sum(target.size_bytes for target in (*self.targets, *self.last))


def make_target(path: Path, kind: Kind, what: str, *, stack: str = "") -> Target:
    """A path with the room it takes."""
    return Target(path=path, kind=kind, what=what, size_bytes=measure(path), stack=stack)
