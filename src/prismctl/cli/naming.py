"""Service names as people type them: short names count, misspelt ones get the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.problems import Problems
from prismctl.domain.service import SHORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def resolve_words(words: Iterable[str], known: Collection[str], *, hint: str = "") -> list[str]:
    """The full names, each once, in the order typed.

    Raises:
        ConfigError: some of them name nothing; all of those are listed.
    """
    problems = Problems()
    names: dict[str, None] = {}
    shorts = {short: name for short, name in SHORT_NAMES.items() if name in known}
    for word in words:
        name = word if word in known else shorts.get(word, word)
        if name in known:
            names[name] = None
        else:
            problems.add_unknown("service", word, [*known, *shorts])
    problems.raise_if_any(hint=hint or "`prismctl dev status` shows the names")
    return list(names)
