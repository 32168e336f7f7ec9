"""What is known of a container while it runs, as `run_container` writes it down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from prismctl.runtime.run_container import Records

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import StackPaths


def process_file(paths: StackPaths, name: str) -> Path:
    """Has the number of the first process inside, as long as there is one."""
    return Records(paths.containers, name).process


def read_process(paths: StackPaths, name: str) -> int | None:
    """The first process inside, as this machine numbers it; ``None`` as long as there is none."""
    try:
        return int(process_file(paths, name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def read_ending(paths: StackPaths, name: str) -> str:
    """Why the last run ended, in words, where an exit code would not say it; empty: there is nothing to add."""
    try:
        document = json.loads(Records(paths.containers, name).ending.read_text(encoding="utf-8"))
        return str(document["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
