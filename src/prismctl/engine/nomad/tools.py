"""The two programs this engine drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NomadTools:
    """Where Nomad and Consul are installed; absolute paths."""

    nomad: Path
    consul: Path
