"""When each profile was last started: a mark in home's cache, whose time says it. To lose one is no loss."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from prismctl.files.profiles import SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import Home

DIRECTORY_NAME: Final = "profile-uses"


def record_use(home: Home, file: Path) -> None:
    """Note that a profile is started now; nothing for a file that is not one of home's, or where home is read-only."""
    with contextlib.suppress(OSError):
        if file.suffix != SUFFIX or file.parent.resolve() != home.profiles.resolve():
            return
        mark = _mark(home, file.stem)
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch(mode=0o600)


def find_last_use(home: Home, name: str) -> float | None:
    """When a saved profile was last started, as seconds since 1970; ``None``: not that anybody knew."""
    try:
        return _mark(home, name).stat().st_mtime
    except OSError:
        return None


def forget_use(home: Home, name: str) -> None:
    """Take the note away with the profile: another one of that name has not been used."""
    with contextlib.suppress(OSError):
        _mark(home, name).unlink()


def _mark(home: Home, name: str) -> Path:
    return home.cache / DIRECTORY_NAME / name
