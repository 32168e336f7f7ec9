"""What was chosen last, so that it is offered first."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.files.paths import Home

FILE_NAME: Final = "last-selection.json"


class LastSelection(NamedTuple):
    """What was chosen last."""

    services: tuple[str, ...] = ()
    """All of them; none where nobody has chosen, or nobody can tell."""
    profile: str = ""
    """The saved profile whose settings counted as well; empty: none did."""


def recall_last(home: Home) -> LastSelection:
    """What was chosen last; nothing where nobody has, or nobody can tell."""
    try:
        document = json.loads((home.cache / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return LastSelection()
    names = document.get("services") if isinstance(document, dict) else None
    if not isinstance(names, list):
        return LastSelection()
    profile = document.get("profile")
    services = tuple(str(each) for each in names)
    return LastSelection(services, profile if isinstance(profile, str) else "")


def remember_selection(home: Home, services: Sequence[str], profile: str = "") -> None:
    """Offer these first the next time; a home that cannot be written offers what it did.

    Args:
        home: of the user.
        services: full names.
        profile: the saved one whose settings count as well.
    """
    with contextlib.suppress(OSError, PrismError):
        home.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {"services": list(services), "profile": profile}
        write_atomically(home.cache / FILE_NAME, json.dumps(document) + "\n")
