"""What was chosen last, so that it is offered first."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.files.paths import Home

FILE_NAME: Final = "last-selection.json"


def recall_selection(home: Home) -> tuple[str, ...]:
    """The services that were picked last; nothing where nobody has, or nobody can tell."""
    try:
        document = json.loads((home.cache / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    names = document.get("services") if isinstance(document, dict) else None
    return tuple(str(each) for each in names) if isinstance(names, list) else ()


def remember_selection(home: Home, services: Sequence[str]) -> None:
    """Offer these first the next time; a home that cannot be written offers what it did."""
    with contextlib.suppress(OSError, PrismError):
        home.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"services": list(services)}) + "\n"
        write_atomically(home.cache / FILE_NAME, text)
