"""How many instances a service can have; alone, because completion reads it and has no time for more."""

from __future__ import annotations

from typing import Final

MAX_REPLICAS: Final = 100
"""Of one service: more is a slip of the hand."""
