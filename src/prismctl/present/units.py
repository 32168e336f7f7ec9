"""Numbers with their units, in the few characters a screen has for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prismctl.domain.sizes import describe_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_TENTHS_BELOW: Final = 10
UNKNOWN: Final = "–"  # noqa: RUF001 - the dash that tables have for "no value"


def render_duration(seconds: float | None) -> str:
    """A time span for people: ``0.3 s``, ``42 s``, ``5 m 32 s``, ``2 h 3 m``, ``3 d 4 h``."""
    if seconds is None:
        return UNKNOWN
    seconds = max(0.0, seconds)
    if round(seconds, 1) < _TENTHS_BELOW:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_parts(whole, _MINUTE, "m", 1, "s")
    if whole < _DAY:
        return _two_parts(whole, _HOUR, "h", _MINUTE, "m")
    return _two_parts(whole, _DAY, "d", _HOUR, "h")


def _two_parts(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")


def render_seconds(seconds: float | None) -> str:
    """A measured time for machines and narrow places: ``0.13s``."""
    return UNKNOWN if seconds is None else f"{max(0.0, seconds):.2f}s"


def render_bytes(count: int | None) -> str:
    """A size in decimal units: ``812 B``, ``38 MB``, ``1.2 GB``."""
    return UNKNOWN if count is None else describe_size(count)


def render_percent(value: float | None) -> str:
    """A share of one core: ``4 %``."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def render_rate(value: float | None) -> str:
    """How many a second: ``0.3``, ``45``, ``12 000``; nought only where nothing came."""
    if value is None:
        return UNKNOWN
    if value and round(value, 1) < _TENTHS_BELOW:
        return f"{max(value, 0.1):.1f}"
    return f"{value:,.0f}".replace(",", " ")


def render_latency(seconds: float | None) -> str:
    """How long one request takes: ``0.02 ms``, ``1.2 ms``, ``45 ms``, ``1.3 s``; nought only where it took no time at all."""
    if seconds is None:
        return UNKNOWN
    milliseconds = 1000 * max(0.0, seconds)
    if round(milliseconds, 2) < 0.1:  # noqa: PLR2004 - below it a tenth says too little
        return f"{max(milliseconds, 0.01) if milliseconds else 0.0:.2f} ms"
    if round(milliseconds, 1) < _TENTHS_BELOW:
        return f"{milliseconds:.1f} ms"
    if round(milliseconds) < 1000:  # noqa: PLR2004 - from there on it is seconds
        return f"{milliseconds:.0f} ms"
    return render_duration(milliseconds / 1000)


def render_clock(moment: str) -> str:
    """The local time of day of an RFC 3339 moment: ``09:14:03``; empty when it is not one."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    return (
        (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone().strftime("%H:%M:%S")
    )


def list_of(words: Sequence[str]) -> str:
    """Words as one would say them: ``a``, ``a and b``, ``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
