"""Settings with which Podman runs containers on this machine, found by what it says when it does not."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.install.containers.sentence import KnownSentence

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY_FILES: Final = 1 << 20
_MANY_PROCESSES: Final = 1 << 22
_FEWEST: Final = 1024
"""Lower limits would only exchange this failure for others, later."""
_PROCESS_IDS: Final = Path("/proc/sys/kernel/pid_max")
MAX_TRIES: Final = 12
"""Every known failure, and some more for limits that are halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs from Podman's own defaults; empty or 0: nothing."""

    runtime: str = ""
    cgroup_manager: str = ""
    events_logger: str = ""
    network_backend: str = ""
    open_files: int = 0
    processes: int = 0

    @property
    def is_default(self) -> bool:
        """Whether nothing has to be set."""
        return self == Settings()

    def __str__(self) -> str:
        limits = f"at most {self.open_files} open files and {self.processes} processes"
        parts = (
            self.runtime,
            f"cgroups by {self.cgroup_manager}" if self.cgroup_manager else "",
            f"events to {self.events_logger}" if self.events_logger else "",
            self.network_backend,
            limits if self.open_files else "",
        )
        return ", ".join(part for part in parts if part)


class Change(StrEnum):
    """One thing that can be set otherwise."""

    LIMITS = "limits"
    RUNTIME = "runtime"
    CGROUP_MANAGER = "cgroup manager"
    EVENTS_LOGGER = "events logger"
    NETWORK_BACKEND = "network backend"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure(KnownSentence):
    """A sentence that a container fails with, and what to set so that the next one does not."""

    change: Change


KNOWN_FAILURES: Final = (
    KnownFailure(
        sentence=r"setrlimit `RLIMIT_\w+`: Operation not permitted|error setting rlimit type \d+",
        change=Change.LIMITS,
        why="Podman asks for higher limits than this machine allows",
    ),
    KnownFailure(
        sentence=r"cgroups in hybrid mode not supported",
        change=Change.RUNTIME,
        why="crun does not work where both versions of cgroups are mounted",
    ),
    KnownFailure(
        sentence=r"cgroup v1 not supported|cgroups? v1 (?:is|are) (?:no longer|not) supported",
        change=Change.RUNTIME,
        why="this runtime does not know cgroups v1",
    ),
    KnownFailure(
        sentence=r"default OCI runtime \"[^\"]*\" not found|[Rr]equested OCI runtime \S+ is not available"
        r"|no such file or directory: OCI runtime .*not found|unknown version specified",
        change=Change.RUNTIME,
        why="the runtime that Podman wants is not here, or too old",
    ),
    KnownFailure(
        sentence=r"sd-bus call|dbus: couldn't determine address|[Ff]ailed to connect to (?:system |user )?bus"
        r"|systemd cgroup flag passed, but systemd support|unable to apply cgroup configuration.*systemd",
        change=Change.CGROUP_MANAGER,
        why="there is no systemd that would manage cgroups",
    ),
    KnownFailure(
        sentence=r"unable to write (?:pod|container) event.*journal|failed to (?:get|open) journal"
        r"|journald? (?:support|is) not (?:compiled|enabled|available)",
        change=Change.EVENTS_LOGGER,
        why="there is no journal to write events to",
    ),
    KnownFailure(
        sentence=r"failed to find plugin \"\w+\" in path|cni plugin \w+ (?:failed|not found)",
        change=Change.NETWORK_BACKEND,
        why="the plugins of the old network backend are not here",
    ),
)
"""In the order in which they are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Other settings to try, and why."""

    settings: Settings
    why: str


def find_way(
    failure: str, settings: Settings, *, runtime: str, runtimes: Sequence[str]
) -> Way | None:
    """What to try after a container failed; ``None``: nothing that is known would help.

    Args:
        failure: what Podman said.
        settings: it was tried with.
        runtime: that was used.
        runtimes: that are on this machine.
    """
    for known in KNOWN_FAILURES:
        if not known.is_in(failure):
            continue
        changed = _change(settings, known.change, runtime=runtime, runtimes=runtimes)
        if changed is not None and changed != settings:
            return Way(settings=changed, why=known.why)
    return None


def _change(
    settings: Settings, change: Change, *, runtime: str, runtimes: Sequence[str]
) -> Settings | None:
    match change:
        case Change.LIMITS:
            return _limit(settings)
        case Change.RUNTIME:
            other = next((name for name in runtimes if name != runtime), None)
            return replace(settings, runtime=other) if other and not settings.runtime else None
        case Change.CGROUP_MANAGER:
            return replace(settings, cgroup_manager="cgroupfs")
        case Change.EVENTS_LOGGER:
            return replace(settings, events_logger="file")
        case Change.NETWORK_BACKEND:
            return replace(settings, network_backend="netavark")


def _limit(settings: Settings) -> Settings | None:
    """Our own limits, then half of what was tried."""
    files, processes = (
        (settings.open_files // 2, settings.processes // 2)
        if settings.open_files
        else _own_limits()
    )
    if min(files, processes) < _FEWEST:
        return None
    # Both: Podman asks for the highest of the one that is not named.
    return replace(settings, open_files=files, processes=processes)


def _own_limits() -> tuple[int, int]:
    """The highest limits that this process may give to others: open files, processes."""
    found = []
    for number, enough in (
        (resource.RLIMIT_NOFILE, _MANY_FILES),
        (resource.RLIMIT_NPROC, _MANY_PROCESSES),
    ):
        hard = resource.getrlimit(number)[1]
        found.append(enough if hard == resource.RLIM_INFINITY else min(hard, enough))
    files, processes = found
    with contextlib.suppress(OSError, ValueError):
        # Podman takes this as its own highest number of processes, and can give nobody more.
        processes = min(processes, int(_PROCESS_IDS.read_text(encoding="ascii")))
    return files, processes


def render_settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """The same as tables of a ``containers.conf``."""
    tables: dict[str, dict[str, Any]] = {"containers": {}, "engine": {}, "network": {}}
    if settings.open_files:
        tables["containers"]["default_ulimits"] = [
            f"nofile={settings.open_files}:{settings.open_files}",
            f"nproc={settings.processes}:{settings.processes}",
        ]
    for name in ("runtime", "cgroup_manager", "events_logger"):
        if value := getattr(settings, name):
            tables["engine"][name] = value
    if settings.network_backend:
        tables["network"]["network_backend"] = settings.network_backend
    return {name: table for name, table in tables.items() if table}


def merge_tables(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two documents as one, table by table; what is above wins."""
    merged = dict(below)
    for name, value in above.items():
        beneath = merged.get(name)
        merged[name] = (
            merge_tables(beneath, value)
            if isinstance(beneath, Mapping) and isinstance(value, Mapping)
            else value
        )
    return merged
