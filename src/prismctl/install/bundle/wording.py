"""Numbers in the sentences about bundles."""

from __future__ import annotations


def count_of(number: int, noun: str) -> str:
    """A number of things: ``1 wheel``, ``3 wheels``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
