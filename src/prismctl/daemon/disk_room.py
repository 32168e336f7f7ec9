"""Whether what runs can still write: nobody but the services notices a full disk, and each says it in its own way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

LEAST_BYTES: Final = 1 << 20


def describe_full_disk(home: Path) -> str:
    """That there is no room left for what stacks write; empty while there is some, or nobody can tell."""
    try:
        room = os.statvfs(home)
    except OSError:
        return ""
    # Some file systems have no size at all.
    if not room.f_blocks or room.f_bavail * room.f_frsize >= LEAST_BYTES:
        return ""
    return f"the disk of {home} is full; services cannot write: `df -h {home}` shows it"
