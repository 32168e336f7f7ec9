"""The Prism services that ship with prismctl: the control plane, the pattern launcher, an in-memory store."""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
"""The distribution's version; a constant because reading package metadata costs a fifth of a start."""
