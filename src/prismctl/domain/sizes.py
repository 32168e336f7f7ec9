"""Sizes in words: the same in a table, a finding and a warning."""

from __future__ import annotations

from typing import Final

_KILO: Final = 1000
_TENTHS_BELOW: Final = 10


def describe_size(count: int) -> str:
    """A size in decimal units: ``812 B``, ``38 MB``, ``1.2 GB``."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if round(amount) < _KILO:
            return f"{amount:.0f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} GB" if round(amount, 1) < _TENTHS_BELOW else f"{amount:.0f} GB"
