"""The clock: not before this prismctl was made, and the same as that of the disk that home is on."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.install.checks.finding import Finding, State

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.install.checks.surroundings import Surroundings

RELEASED: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""A moment before which no copy of this version was made."""
MOST_SKEW_SECONDS: Final = 2.0
"""By how much a file's time may be wrong: file systems round, network ones have clocks of their own."""
_FIX: Final = "set the clock: `sudo timedatectl set-ntp true`, or `sudo ntpdate pool.ntp.org`"


class ClockFacts(NamedTuple):
    """What time it is said to be."""

    now: float
    """In seconds since the epoch."""
    file_skew_seconds: float | None
    """By how much a file made just now is in the future; ``None``: none could be made."""


def gather_clock(surroundings: Surroundings) -> ClockFacts:
    """The clock, and the time of a file made in home for an instant."""
    return ClockFacts(
        now=time.time(), file_skew_seconds=measure_file_skew(surroundings.home.directory)
    )


def measure_file_skew(directory: Path) -> float | None:
    """By how much a file that is made in a directory now is in the future; ``None``: none can be made."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            before = time.time()
            file.write(b"x")
            file.flush()
            stamped = os.fstat(file.fileno()).st_mtime
            after = time.time()
    except OSError:
        return None
    # Kernels stamp files with a clock that ticks a few hundred times a second.
    return max(stamped - after, 0.0) or min(stamped - before, 0.0)


def judge_clock(facts: ClockFacts) -> tuple[Finding, ...]:
    """Whether times can be believed: certificates, tokens, logs and restarts depend on them."""
    shown = datetime.fromtimestamp(facts.now, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if facts.now < RELEASED.timestamp():
        detail = f"says {shown}, before this prismctl was made ({RELEASED:%Y-%m-%d})"
        return (_finding(State.PROBLEM, detail, _FIX),)
    skew = facts.file_skew_seconds
    if skew is not None and abs(skew) > MOST_SKEW_SECONDS:
        where = "ahead of" if skew > 0 else "behind"
        detail = f"says {shown}; files in home are {abs(skew):.0f} s {where} it"
        return (_finding(State.WARNING, detail, "let PRISM_HOME be on a local disk"),)
    return (_finding(State.FINE, shown),)


def _finding(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="clock", title="clock", state=state, detail=detail, fix=fix)
