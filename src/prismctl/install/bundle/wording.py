"""Numbers in the sentences about bundles."""

from __future__ import annotations

from typing import Final

_MEGABYTE: Final = 1_000_000


def count_of(number: int, noun: str) -> str:
    """A number of things: ``1 wheel``, ``3 wheels``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size_of(count: int) -> str:
    """Bytes as a person would say them: ``241 MB``."""
    return f"{max(1, round(count / _MEGABYTE))} MB"
