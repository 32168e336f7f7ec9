"""The catalog's files as they were parsed last: to read YAML takes several times as long as to read what became of it.

Only what the text says is kept, never what it means: that is worked out and judged anew each time.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

from prismctl import __version__
from prismctl.domain.document import Document
from prismctl.errors import PrismError
from prismctl.files.text import name_for_people

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.files.paths import Home

_POSITIONS: Final = ("keys", "values")


def read_document(text: str, path: Path, home: Home) -> Document:
    """The text of one of the catalog's files as plain values with positions, parsed once as long as it stays the same.

    Args:
        text: what the file says now.
        path: of the file.
        home: keeps what was parsed; one that cannot be written is slower, no more.

    Raises:
        ConfigError: it is no YAML, or not of the kind that is read here.
    """
    kept = home.cache / f"parsed-{path.name}.json"
    known = _recall(kept, text, path)
    if known is not None:
        return known
    from prismctl.files.atomic import write_atomically
    from prismctl.files.yaml import parse_document

    document = parse_document(text, path)
    with contextlib.suppress(OSError, PrismError):
        home.cache.mkdir(mode=0o700, exist_ok=True)
        write_atomically(kept, json.dumps(_render(document, text)))
    return document


def _recall(kept: Path, text: str, path: Path) -> Document | None:
    """What was kept, if this version of prismctl did so for this very text; ``None`` also where it is broken."""
    try:
        found: Any = json.loads(kept.read_text(encoding="utf-8"))
        if found["version"] != __version__ or found["text"] != text:
            return None
        keys, values = (
            {tuple(place): (int(line), int(column)) for place, line, column in found[name]}
            for name in _POSITIONS
        )
        written = {tuple(place): str(words) for place, words in found["written"]}
        tree = found["tree"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return Document(
        tree=tree,
        file=name_for_people(path),
        directory=str(path.absolute().parent),
        keys=keys,
        values=values,
        written=written,
    )


def _render(document: Document, text: str) -> Mapping[str, Any]:
    return {
        "version": __version__,
        "text": text,
        "tree": document.tree,
        "keys": [[place, *position] for place, position in document.keys.items()],
        "values": [[place, *position] for place, position in document.values.items()],
        "written": list(document.written.items()),
    }
