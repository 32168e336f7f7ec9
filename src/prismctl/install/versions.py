"""Versions of tools, and ranges of them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PATTERN: Final = re.compile(r"(?<![\w.])(?:v|go)?(\d+)\.(\d+)(?:\.(\d+))?(?!\d)")


class Version(NamedTuple):
    """A released version; suffixes (``+ent``, ``-rc.1``) are not kept, since no range depends on them."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class VersionRange(NamedTuple):
    """From the first version on, up to and without the other."""

    first: Version
    end: Version

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and self.first <= version < self.end

    def __str__(self) -> str:
        return f"{self.first} to before {self.end}"


def parse_version(text: str) -> Version | None:
    """The first version that a text names, as in ``Nomad v1.11.3``, ``podman version 4.3.1`` or ``go1.26.8``; ``None``: there is none."""
    found = _PATTERN.search(text)
    if found is None:
        return None
    major, minor, patch = found.groups(default="0")
    return Version(int(major), int(minor), int(patch))
