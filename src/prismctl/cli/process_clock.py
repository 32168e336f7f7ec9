"""When this process began, which is what "Ready in" counts from."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_START_TIME_FIELD: Final = 22
_FIRST_FIELD_AFTER_NAME: Final = 3
_LOADED_AT: Final = time.time()


def process_began_at() -> float:
    """Seconds since the epoch at which this process was started.

    From the kernel where it says so (Linux); elsewhere, the moment this module was loaded, which is a few
    hundredths of a second later.
    """
    try:
        # The name is the second field, in parentheses, and may hold spaces and parentheses itself.
        stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        after_name = stat.rpartition(")")[2].split()
        ticks = int(after_name[_START_TIME_FIELD - _FIRST_FIELD_AFTER_NAME])
    except (OSError, ValueError, IndexError):
        return _LOADED_AT
    age = uptime - ticks / os.sysconf("SC_CLK_TCK")
    return min(_LOADED_AT, time.time() - max(0.0, age))
