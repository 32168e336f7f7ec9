"""What ran the services was lost and is back: why all of them are young though none of them did anything."""

from __future__ import annotations

from dataclasses import dataclass
from time import localtime, strftime
from typing import Final

_RECENT_SECONDS: Final = 12 * 3600.0
_SUBJECTS: Final = {"keeper": "the keeper"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comeback:
    """The latest time that it happened."""

    lost_at: float
    """Seconds since the epoch."""
    seconds: float
    """Until it was back and what it had run was on its way again."""
    times: int = 1
    """Since the start of the stack."""


def describe_comeback(name: str, comeback: Comeback, now: float) -> str:
    """What somebody should know who finds other processes than those of the evening before, in one line.

    Args:
        name: of the component: ``nomad``, ``keeper``.
        comeback: when it was lost.
        now: seconds since the epoch.
    """
    is_recent = now - comeback.lost_at < _RECENT_SECONDS
    form = "%H:%M:%S" if is_recent else "%Y-%m-%d %H:%M:%S"
    often = f"; {comeback.times} times since the start" if comeback.times > 1 else ""
    # What matters most comes first: a narrow terminal cuts the rest off.
    return (
        f"everything was started anew: {_SUBJECTS.get(name, name.capitalize())} was lost "
        f"at {strftime(form, localtime(comeback.lost_at))}, back in {comeback.seconds:.1f} s{often}"
    )
