"""Durations and sizes as other tools write them."""

from __future__ import annotations

import re
from typing import Final

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|us|µs|ns|s|d))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s|d)")
_SECONDS: Final = {
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_BYTES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_go_duration(text: str) -> float | None:
    """Seconds of ``1m30s``, ``500ms``, ``1.5h``; a number alone is seconds; ``None``: it is none.

    >>> parse_go_duration("1m30s")
    90.0
    """
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def write_duration(seconds: float) -> str:
    """A duration as the catalog takes it.

    >>> write_duration(90.0), write_duration(0.5)
    ('90s', '500ms')
    """
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds}ms"


def parse_size(text: str) -> int | None:
    """Bytes of ``512m``, ``1.5g``, ``256MiB``, or a number; ``None``: it is none.

    >>> parse_size("512m") == 512 << 20
    True
    """
    match = _SIZE.fullmatch(text.strip())
    return int(float(match[1]) * _BYTES[match[2].lower()]) if match else None
