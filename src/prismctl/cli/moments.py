"""``--since``: a moment, as a person types it."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Final

from prismctl.errors import ConfigError, Problem

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPANS: Final = re.compile(rf"(?:{_SPAN.pattern})+")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_since(text: str, *, now: float | None = None) -> float:
    """``10s``, ``5m``, ``1h30m`` ago, or RFC 3339, in seconds since the epoch.

    Raises:
        ConfigError: it is neither.
    """
    if _SPANS.fullmatch(text):
        ago = sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
        return (time.time() if now is None else now) - ago
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        problem = Problem(message=f"--since: `{text}` is not a time")
        raise ConfigError(
            (problem,), hint="use `10s`, `5m`, `2h` or a time like `2026-01-02T03:04:05Z`"
        ) from error
    # A time without a zone is the clock on the wall: what `timestamp` takes it for.
    return moment.timestamp()
