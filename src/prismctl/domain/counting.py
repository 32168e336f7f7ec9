"""Numbers of things, as sentences have them."""

from __future__ import annotations


def count_of(number: int, noun: str) -> str:
    """A number with its noun in the right form: ``1 service``, ``4 services``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
