"""Processes that their control group holds, as `podman pause` and `docker pause` do it.

Until the group is let go no signal reaches them but SIGKILL, and under the first version of control groups not
even that. A group that cannot be looked at counts as one that holds nobody.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

_V1_PLACE: Final = "/sys/fs/cgroup/freezer"
_V2_PLACES: Final = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
"""Where the second version is mounted: alone, and beside the first one."""


def is_frozen(pid: int) -> bool:
    """Whether the process is in a control group that is held, by itself or from above."""
    v1, v2 = _find_groups(pid)
    if v1 and _holds(v1):
        return True
    return bool(v2) and any(
        b"frozen 1" in _read(f"{place}{v2}/cgroup.events") for place in _V2_PLACES
    )


def let_die(pid: int) -> bool:
    """See to it that SIGKILL, sent before, reaches a process that is held; whether it does."""
    v1, _ = _find_groups(pid)
    if not v1 or not _holds(v1):
        return True
    with contextlib.suppress(OSError):
        descriptor = os.open(f"{_V1_PLACE}{v1}/freezer.state", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"THAWED")
        finally:
            os.close(descriptor)
    # One that is held from above goes on being held.
    return not _holds(v1)


def _find_groups(pid: int) -> tuple[str, str]:
    """The group that can hold a process, for each version of control groups; empty: the same as this process's."""
    own = _read("/proc/self/cgroup").splitlines()
    v1 = v2 = ""
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        if line in own:
            continue
        _, controllers, group = os.fsdecode(line).split(":", 2)
        if not controllers:
            v2 = group
        elif "freezer" in controllers.split(","):
            v1 = group
    return v1, v2


def _holds(v1_group: str) -> bool:
    # FREEZING is what a group stays at in which something cannot be held at this moment.
    state = _read(f"{_V1_PLACE}{v1_group}/freezer.state").strip()
    return state in {b"FROZEN", b"FREEZING"}


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        # The process is gone.
        return b""
    finally:
        os.close(descriptor)
