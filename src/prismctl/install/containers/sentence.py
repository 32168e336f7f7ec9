"""What Podman says when something fails, known by its words."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSentence:
    """A sentence of Podman's that is known."""

    sentence: str
    """As Podman prints it: what it is known by, as a regular expression."""
    why: str
    """What it means, in words."""

    def is_in(self, words: str) -> bool:
        """Whether Podman said it."""
        return re.search(self.sentence, words) is not None
