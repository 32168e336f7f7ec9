"""What the picker comes to, and what it has others do meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.service import ServiceName
    from prismctl.tui.picker.preview import Preview


@dataclass(frozen=True, slots=True)
class Picked:
    """What somebody decided on."""

    services: tuple[ServiceName, ...]
    profile: str = ""
    """Whose settings count, where it started from a saved one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What the picker has others do."""

    look: Callable[[Picked], Preview]
    """Finds out what a selection would be; in a thread, and may take its time."""
    save: Callable[[str, Picked], str]
    """Saves a profile of that name; says what came of it."""
    find_signal: Callable[[], int] = lambda: 0
    """The signal that came before the picker could hear any; 0: none."""
