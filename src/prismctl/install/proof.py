"""What was tried in a home with which programs, so that it is not tried again before one of them changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prismctl import __version__
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prismctl.files.paths import Home


def recall_proof(home: Home, name: str, files: Iterable[Path]) -> str | None:
    """What came of it with exactly these files, in words; ``None``: it has to be tried."""
    try:
        recorded = json.loads(_file(home, name).read_text(encoding="utf-8"))
        return str(recorded["words"]) if recorded["stamps"] == _stamps(files) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_proof(home: Home, name: str, files: Iterable[Path], words: str) -> None:
    """Write down that it worked with these files.

    Raises:
        PrismError: home cannot be written.
    """
    path = _file(home, name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(path, json.dumps({"words": words, "stamps": _stamps(files)}) + "\n")


def _file(home: Home, name: str) -> Path:
    return home.cache / f"proof-{name}.json"


def _stamps(files: Iterable[Path]) -> dict[str, Any]:
    """What changes whenever a file, or prismctl itself, does; a file that is not there counts, too."""
    found: dict[str, Any] = {"prismctl": __version__}
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found[str(file)] = None
        else:
            found[str(file.resolve())] = [status.st_size, status.st_mtime_ns]
    return found
