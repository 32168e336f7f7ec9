"""Processes that their control group holds, as `podman pause` and `docker pause` do it.

No signal reaches them until the group is let go; under the first version of control groups not even SIGKILL does.
A group that cannot be looked at counts as one that holds nobody.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final

_V1_PLACE: Final = "/sys/fs/cgroup/freezer"
_V2_PLACES: Final = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
"""Where the second version is mounted: alone, and beside the first one."""


def is_frozen(pid: int) -> bool:
    """Whether the process is in a control group that is held."""
    return any(_holds(switch) for switch in _find_switches(pid))


def thaw(pid: int) -> bool:
    """Let the group of a process go on; whether it was held and is not any more.

    The group of whoever asks is left alone: that somebody else holds, or nobody does.
    """
    is_free = False
    for switch in _find_switches(pid):
        word = b"THAWED" if switch.endswith("freezer.state") else b"0"
        if _holds(switch):
            with contextlib.suppress(OSError):
                descriptor = os.open(switch, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(descriptor, word)
                finally:
                    os.close(descriptor)
            # One that is held from above goes on being held.
            is_free = is_free or not _holds(switch)
    return is_free


def _find_switches(pid: int) -> list[str]:
    """The files by which the groups of a process are held and let go, those it shares with this one left out."""
    own = _read("/proc/self/cgroup").splitlines()
    found = []
    for line in _read(f"/proc/{pid}/cgroup").splitlines():
        if line in own:
            continue
        _, controllers, group = os.fsdecode(line).split(":", 2)
        if "freezer" in controllers.split(","):
            found.append(f"{_V1_PLACE}{group}/freezer.state")
        elif not controllers:
            found += [f"{place}{group}/cgroup.freeze" for place in _V2_PLACES]
    return found


def _holds(switch: str) -> bool:
    # FREEZING is what a group stays at in which something cannot be held at this moment.
    return _read(switch).strip() in {b"1", b"FROZEN", b"FREEZING"}


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
