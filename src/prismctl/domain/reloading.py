"""Which changes of files are about which services, and when these are restarted for them; pure."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName

QUIET_SECONDS: Final = 0.3
"""A service is restarted once nothing of it has changed for this long: who saves, saves several files."""
LONGEST_SECONDS: Final = 3.0
"""So long at most: what changes all the time would otherwise never be used."""
BURST: Final = 6
BURST_SECONDS: Final = 30.0
"""So many restarts in this time; a service that writes where it is watched would be restarted for ever."""
MAX_FILES_TOLD: Final = 20
"""A branch that is changed to has thousands; their names say nothing."""

_NOISY_DIRECTORIES: Final = frozenset(
    {
        *(
            ".git",
            ".hg",
            ".svn",
            ".jj",
            ".idea",
            ".vscode",
            ".direnv",
            ".venv",
            "venv",
            ".tox",
            ".nox",
        ),
        *("node_modules", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
    }
)
_NOISY_FILES: Final = re.compile(
    # vim, emacs, JetBrains, Kate, GLib, Python, the Finder.
    r"\..*\.sw[a-z]|.*~|4913|\.#.*|#.*#|.*___jb_(?:tmp|old|bak)___|\..*\.kate-swp|\.goutputstream-.*"
    r"|.*\.py[co]|\.DS_Store"
)


def is_noisy_directory(name: str) -> bool:
    """Whether nobody edits what is in a directory of this name: it is not even looked into."""
    return name in _NOISY_DIRECTORIES


def is_noise(name: str) -> bool:
    """Whether a file of this name is what an editor or an interpreter leaves beside others."""
    return _NOISY_FILES.fullmatch(name) is not None


def find_watched(plan: StackPlan | None) -> dict[ServiceName, tuple[str, ...]]:
    """The paths that services are restarted for, by service; nothing where that was not asked for."""
    if plan is None or not plan.terms.watch:
        return {}
    return {service.name: service.watch for service in plan.services if service.watch}


def is_followed_alike(before: StackPlan, after: StackPlan) -> bool:
    """Whether the same changes restart the same services, so that nothing has to be done about it."""
    is_asked_for = (before.terms.watch, after.terms.watch)
    return len(set(is_asked_for)) == 1 and find_watched(before) == find_watched(after)


def find_affected(
    path: str, watched: Mapping[ServiceName, Iterable[str]]
) -> dict[ServiceName, str]:
    """The services that a file belongs to, each with the watched path that it is or lies under."""
    return {
        service: root
        for service, roots in watched.items()
        for root in roots
        if path == root or path.startswith(f"{root.rstrip('/')}/")
    }


@dataclass(frozen=True, slots=True)
class Reload:
    """A service that is to be restarted now."""

    service: ServiceName
    files: tuple[str, ...]
    """What has changed, the latest last; not all of very many."""
    count: int
    """How many they are in all."""


class ReloadPace:
    """Gathers changes until it is time for a restart. Times are given to it, so that it needs no clock."""

    def __init__(self) -> None:
        self._files: dict[ServiceName, dict[str, None]] = {}
        self._first: dict[ServiceName, float] = {}
        self._latest: dict[ServiceName, float] = {}
        self._restarts: dict[ServiceName, deque[float]] = {}

    def note(self, service: ServiceName, file: str, now: float) -> None:
        """Take note of a change."""
        self._first.setdefault(service, now)
        self._latest[service] = now
        files = self._files.setdefault(service, {})
        files.pop(file, None)
        files[file] = None

    def take_due(self, now: float) -> tuple[Reload, ...]:
        """What is to be restarted at a moment; the changes are then seen to."""
        due = [service for service in self._first if self._due_at(service) <= now]
        reloads = []
        for service in due:
            del self._first[service], self._latest[service]
            files = tuple(self._files.pop(service))
            restarts = self._restarts.setdefault(service, deque(maxlen=BURST))
            restarts.append(now)
            reloads.append(Reload(service, files[-MAX_FILES_TOLD:], len(files)))
        return tuple(reloads)

    @property
    def next_at(self) -> float | None:
        """When there will be something to restart; ``None``: nothing has changed."""
        return min(map(self._due_at, self._first), default=None)

    def find_held_back(self, now: float) -> tuple[ServiceName, ...]:
        """Services that have changed again and wait, because they were restarted too often."""
        return tuple(service for service in self._first if (self._allowed_at(service) or now) > now)

    def forget(self) -> None:
        """Nothing has changed."""
        self._files.clear()
        self._first.clear()
        self._latest.clear()

    def _due_at(self, service: ServiceName) -> float:
        quiet_at = self._latest[service] + QUIET_SECONDS
        settled_at = min(quiet_at, self._first[service] + LONGEST_SECONDS)
        return max(settled_at, self._allowed_at(service) or settled_at)

    def _allowed_at(self, service: ServiceName) -> float | None:
        restarts = self._restarts.get(service)
        if restarts is None or len(restarts) < BURST:
            return None
        return restarts[0] + BURST_SECONDS
