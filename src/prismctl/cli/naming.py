"""Service names as people type them: short names count, misspelt ones get the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.cli.stack import option_of
from prismctl.domain.problems import Problems, nearest_name, shorten
from prismctl.domain.service import SHORT_NAMES, full_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def resolve_words(
    words: Iterable[str], known: Collection[str], *, hint: str = "", stack: str = ""
) -> list[str]:
    """The full names, each once, in the order typed.

    Args:
        words: full or short names.
        known: full names that can be meant.
        hint: what to type to see them.
        stack: whose services they are; what only the catalog has is said not to be in it.

    Raises:
        ConfigError: some of them name nothing; all of those are listed.
    """
    problems = Problems()
    names: dict[str, None] = {}
    shorts = {short: name for short, name in SHORT_NAMES.items() if name in known}
    for word in words:
        name = full_name(word, known)
        if name in known:
            names[name] = None
            continue
        absent = _find_in_catalog(name, [*known, *shorts]) if stack else ""
        if absent == name:
            problems.add(f"{name} is not in stack `{stack}`")
        elif absent:
            problems.add(
                f"unknown service `{shorten(word)}`; {absent} is the nearest, and is not in stack `{stack}`"
            )
        else:
            problems.add_unknown("service", word, [*known, *shorts])
    problems.raise_if_any(
        hint=hint or f"`prismctl dev status{option_of(stack or 'default')}` shows the names"
    )
    return list(names)


def _find_in_catalog(name: str, present: Collection[str]) -> str:
    """What of the catalog was meant that is not there; empty: nothing, or something that is there was meant rather."""
    from prismctl.cli.completion import catalog_words

    catalog = catalog_words()
    if name in catalog:
        return name
    meant = nearest_name(name, [*present, *catalog])
    return "" if meant in present else meant
