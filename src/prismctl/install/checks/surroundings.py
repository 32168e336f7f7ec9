"""What checks are given to look at: home, its stacks, the catalog, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.domain.offering import Catalog
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.checks.terminal import TerminalFacts


class StackSeen(NamedTuple):
    """One stack of the home, as it was found."""

    paths: StackPaths
    is_attended: bool
    """Whether its daemon or its keeper answers."""
    is_left_behind: bool = False
    """Whether a plan is there and nobody who looks after it."""


class Misread(NamedTuple):
    """A file that people write and that cannot be used as it is."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that facts are gathered from."""

    home: Home
    working_directory: Path
    environment: Mapping[str, str]
    catalog: Catalog
    """The packaged one where the user's cannot be read."""
    takes_other_ports: bool = False
    """Whether a start from here would give services other ports in place of taken ones."""
    misread: tuple[Misread, ...] = ()
    stacks: tuple[StackSeen, ...] = ()
    terminal: TerminalFacts | None = None
    """``None``: nobody looks."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The name of the stack by the keeper id that its processes are marked with."""
