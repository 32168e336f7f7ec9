"""How much memory this machine has, and how much of it is to be had."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Final


def read_memory_bytes() -> int:
    """What this machine has; 0 when it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def read_available_memory() -> tuple[int | None, str]:
    """How many bytes programs can still have, and what bounds that other than the machine."""
    if sys.platform != "linux":
        import psutil

        return int(psutil.virtual_memory().available), ""
    machine = _read_meminfo()
    group = _read_group_memory()
    if group is not None and (machine is None or group < machine):
        return group, "the limit of this control group"
    return machine, ""


def _read_meminfo() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _read_group_memory() -> int | None:
    """What the memory controller still allows; ``None`` where it sets no limit."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found: list[int] = []
    for row in groups:
        _, controllers, path = row.split(":", 2)
        if not controllers:
            found += _read_allowances(Path("/sys/fs/cgroup"), path, _GROUP_FILES)
        elif "memory" in controllers.split(","):
            found += _read_allowances(Path("/sys/fs/cgroup/memory"), path, _OLD_GROUP_FILES)
    return min(found, default=None)


_GROUP_FILES: Final = ("memory.max", "memory.current", "inactive_file")


_OLD_GROUP_FILES: Final = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_inactive_file",
)


def _read_allowances(top: Path, path: str, names: tuple[str, str, str]) -> list[int]:
    """What a group and each group around it still allow; those without a limit are left out."""
    found = []
    group = top / path.lstrip("/")
    # In a container, the path is one of the machine's, and only the top of what is seen here is there.
    for each in (group, *group.parents):
        if not each.is_relative_to(top):
            break
        with contextlib.suppress(OSError, ValueError):
            allowance = _read_allowance(each, *names)
            if allowance is not None:
                found.append(allowance)
    return found


def _read_allowance(group: Path, limit_name: str, usage_name: str, cache_key: str) -> int | None:
    word = (group / limit_name).read_text(encoding="ascii").strip()
    # Version 1 says "none" with a number that no machine has.
    if word == "max" or int(word) > 1 << 60:
        return None
    cache = 0
    for row in (group / "memory.stat").read_text(encoding="ascii").splitlines():
        name, _, number = row.partition(" ")
        if name == cache_key:
            cache = int(number)
    used = int((group / usage_name).read_text(encoding="ascii"))
    return max(0, int(word) - used + cache)
