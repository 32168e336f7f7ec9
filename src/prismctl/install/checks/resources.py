"""Memory, disk and file descriptors: what there is against what stacks take."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.capacity import (
    LEAST_DISK_BYTES,
    LEAST_MEMORY_BYTES,
    Need,
    Room,
    find_shortages,
    need_of,
)
from prismctl.domain.dependencies import close_over
from prismctl.domain.presets import PRESETS
from prismctl.domain.sizes import describe_size
from prismctl.install.checks.finding import Finding, State
from prismctl.machine import read_available_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.offering import Catalog
    from prismctl.install.checks.surroundings import Surroundings

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
    needs: Mapping[str, tuple[Need, ...]]
    """What the services of each preset need."""
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
    """What is available now, and what the presets need."""
    available, limit = read_available_memory()
    return MemoryFacts(
        available_bytes=available, limit=limit, needs=find_needs(surroundings.catalog)
    )


def find_needs(catalog: Catalog) -> dict[str, tuple[Need, ...]]:
    """What the services of each preset need; presets that the catalog lacks services of are left out."""
    needs = {}
    requires = {name: each.requires for name, each in catalog.services.items()}
    for preset in PRESETS.values():
        if not all(name in catalog.services for name in preset.services):
            continue
        chosen = close_over(preset.services, requires)
        services = [catalog.services[name] for name in chosen if name in catalog.services]
        needs[preset.name] = tuple(
            Need(each.name, need_of(each.resources.memory_mb, each.replicas)) for each in services
        )
    return needs


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
        return (
            _memory(
                State.PROBLEM,
                f"{shown}: any service needs {describe_size(LEAST_MEMORY_BYTES)}",
                fix,
            ),
        )
    sums = {name: sum(need.memory_bytes for need in needs) for name, needs in facts.needs.items()}
    for name, _ in sorted(sums.items(), key=lambda item: item[1]):
        for shortage in find_shortages(facts.needs[name], Room(free)):
            largest, size = shortage.services[0]
            words = f"`{name}` may need {describe_size(shortage.needed_bytes)}, {largest} {describe_size(size)} of it"
            return (_memory(State.WARNING, f"{shown}; {words}", fix),)
    if not sums:
        return (_memory(State.FINE, shown),)
    name, need = max(sums.items(), key=lambda item: item[1])
    return (_memory(State.FINE, f"{shown}; `{name}` may need {describe_size(need)}"),)


def judge_disk(facts: DiskFacts) -> tuple[Finding, ...]:
    """Whether data and logs have room."""
    place = str(facts.directory)
    free = facts.free_bytes
    if free is None:
        return (_disk(State.FINE, f"{place} does not say how much is free"),)
    shown = f"{describe_size(free)} free at {place}"
    fix = f"free some space: `df -h {facts.directory}` shows the disk"
    if free < LEAST_DISK_BYTES:
        return (
            _disk(
                State.PROBLEM,
                f"{shown}: a start needs at least {describe_size(LEAST_DISK_BYTES)}",
                fix,
            ),
        )
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
