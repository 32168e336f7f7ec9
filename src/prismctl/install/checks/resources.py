"""Memory, disk and file descriptors: what there is against what stacks take."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.dependencies import close_over
from prismctl.domain.presets import PRESETS
from prismctl.domain.sizes import describe_size
from prismctl.install.checks.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.offering import Catalog
    from prismctl.install.checks.surroundings import Surroundings

LEAST_MEMORY_BYTES: Final = 128 * 1000**2
"""Below this not even the core services come up."""
LEAST_DISK_BYTES: Final = 10 * 1000**2
"""Below this logs break off within a minute; a start of the smallest stack writes about 1 MB."""
GOOD_DISK_BYTES: Final = 1000**3
LEAST_FILES: Final = 256
"""Below this Nomad and Consul cannot work."""
GOOD_FILES: Final = 1024
LEAST_INODES: Final = 1000
_WANTED_FILES: Final = 4096


class MemoryFacts(NamedTuple):
    """What there is for programs to be started."""

    available_bytes: int | None
    """Without pushing anything out; ``None``: the system does not say."""
    needs: Mapping[str, int]
    """What the services of each preset reserve, in bytes."""
    limit: str = ""
    """What bounds it other than the machine, in words."""


class DiskFacts(NamedTuple):
    """The file system that home is on, or will be."""

    directory: Path
    """The nearest one that exists."""
    free_bytes: int | None
    """For this user; ``None``: it cannot be asked."""
    free_inodes: int | None = None
    """How many more files it takes; ``None``: it has no such limit."""


class FileLimitFacts(NamedTuple):
    """How many files a process may have open; ``None``: any number."""

    soft: int | None
    hard: int | None


def gather_memory(surroundings: Surroundings) -> MemoryFacts:
    """What is available now, and what the presets reserve."""
    available, limit = read_available_memory()
    return MemoryFacts(
        available_bytes=available, limit=limit, needs=sum_needs(surroundings.catalog)
    )


def sum_needs(catalog: Catalog) -> dict[str, int]:
    """What the services of each preset reserve, in bytes; presets that the catalog lacks services of are left out."""
    needs = {}
    depends_on = {name: each.depends_on for name, each in catalog.services.items()}
    for preset in PRESETS.values():
        if not all(name in catalog.services for name in preset.services):
            continue
        chosen = close_over(preset.services, depends_on)
        services = [catalog.services[name] for name in chosen if name in catalog.services]
        megabytes = sum(each.resources.memory_mb * each.replicas for each in services)
        needs[preset.name] = megabytes << 20
    return needs


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
    top = Path("/sys/fs/cgroup")
    for row in groups:
        _, controllers, path = row.split(":", 2)
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            roots = (top / path.lstrip("/"), top)
        elif "memory" in controllers.split(","):
            names = (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
            roots = (top / "memory" / path.lstrip("/"), top / "memory")
        else:
            continue
        for root in roots:
            with contextlib.suppress(OSError, ValueError):
                return _allowance(root, *names)
    return None


def _allowance(group: Path, limit_name: str, usage_name: str, cache_key: str) -> int | None:
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


def gather_disk(surroundings: Surroundings) -> DiskFacts:
    """The file system of home."""
    home = surroundings.home.directory
    directory = next((each for each in (home, *home.parents) if _is_directory(each)), Path("/"))
    try:
        found = os.statvfs(directory)
    except OSError:
        return DiskFacts(directory=directory, free_bytes=None)
    if not found.f_blocks:
        # A file system without a disk behind it, as /proc is.
        return DiskFacts(directory=directory, free_bytes=None)
    return DiskFacts(
        directory=directory,
        free_bytes=found.f_bavail * found.f_frsize,
        free_inodes=found.f_favail if found.f_files else None,
    )


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def gather_file_limit(surroundings: Surroundings) -> FileLimitFacts:
    """The limits of this process, which what it starts inherits."""
    del surroundings
    soft, hard = (
        None if number == resource.RLIM_INFINITY else number
        for number in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    return FileLimitFacts(soft=soft, hard=hard)


def judge_memory(facts: MemoryFacts) -> tuple[Finding, ...]:
    """Whether the presets fit into it."""
    free = facts.available_bytes
    if free is None:
        return (_memory(State.FINE, "the system does not say how much is free"),)
    shown = f"{describe_size(free)} free" + (f" ({facts.limit})" if facts.limit else "")
    fix = "end what is not needed, or give the machine more memory"
    if free < LEAST_MEMORY_BYTES:
        return (_memory(State.PROBLEM, f"{shown}: too little for any service", fix),)
    for name, need in sorted(facts.needs.items(), key=lambda item: item[1]):
        if need > free:
            words = f"{shown}; `{name}` reserves {describe_size(need)}"
            return (_memory(State.WARNING, words, fix),)
    if not facts.needs:
        return (_memory(State.FINE, shown),)
    name, need = max(facts.needs.items(), key=lambda item: item[1])
    return (_memory(State.FINE, f"{shown}; `{name}` reserves {describe_size(need)}"),)


def judge_disk(facts: DiskFacts) -> tuple[Finding, ...]:
    """Whether data and logs have room."""
    place = str(facts.directory)
    free = facts.free_bytes
    if free is None:
        return (_disk(State.FINE, f"{place} does not say how much is free"),)
    shown = f"{describe_size(free)} free at {place}"
    fix = f"free some space: `df -h {facts.directory}` shows the disk"
    if free < LEAST_DISK_BYTES:
        return (_disk(State.PROBLEM, f"{shown}: logs and data need more", fix),)
    if facts.free_inodes is not None and facts.free_inodes < LEAST_INODES:
        words = f"{shown}, but room for only {facts.free_inodes} more files"
        return (
            _disk(State.PROBLEM, words, f"remove files: `df -i {facts.directory}` counts them"),
        )
    if free < GOOD_DISK_BYTES:
        return (_disk(State.WARNING, f"{shown}: data and logs may fill it", fix),)
    return (_disk(State.FINE, shown),)


def judge_file_limit(facts: FileLimitFacts) -> tuple[Finding, ...]:
    """Whether services may open what they need."""
    soft, hard = facts.soft, facts.hard
    shown = f"{_count(soft)} open files a process (at most {_count(hard)})"
    if hard is not None and hard < GOOD_FILES:
        state = State.PROBLEM if hard < LEAST_FILES else State.WARNING
        fix = f"raise `nofile` in /etc/security/limits.conf to {_WANTED_FILES}, and log in again"
        return (_files(state, f"{shown}: agents and databases need {GOOD_FILES}", fix),)
    if soft is not None and soft < GOOD_FILES:
        wanted = _WANTED_FILES if hard is None else min(hard, _WANTED_FILES)
        words = f"{shown}: databases need {GOOD_FILES}"
        return (_files(State.WARNING, words, f"ulimit -n {wanted}"),)
    return (_files(State.FINE, shown),)


def _count(number: int | None) -> str:
    return "any number of" if number is None else str(number)


def _memory(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="memory", title="memory", state=state, detail=detail, fix=fix)


def _disk(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="disk", title="disk", state=state, detail=detail, fix=fix)


def _files(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="file-limit", title="file descriptors", state=state, detail=detail, fix=fix)
