"""What ids, names and versions may be."""

from __future__ import annotations

from typing import Final

from prism_services.admin.records import Outcome
from prism_services.serving.refusal import invalid

LONGEST_NAME: Final = 512
"""Characters of an id or a name."""


def check_name(field: str, name: str) -> None:
    """Refuse an id or a name that cannot be told from others on a screen or in a log."""
    if not name:
        raise invalid(f"{field} is empty")
    if len(name) > LONGEST_NAME:
        raise invalid(f"{field} has {len(name)} characters: the limit is {LONGEST_NAME}")
    if not name.isprintable():
        raise invalid(f"{field} {name!r} holds characters that cannot be printed")


def check_version(version: int) -> None:
    """Refuse a version that cannot be one."""
    if version < 0:
        raise invalid(f"version must not be negative: {version}")


def outdated(what: str, name: str, version: int, known: int) -> Outcome:
    """The answer to a change that comes after a newer one."""
    return Outcome(
        success=False,
        message=f"{what} {name!r} is at version {known} already: {version} is older",
    )
