"""Instances that are to go: whether every process of theirs has gone, whatever the engine tells."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from prismctl.daemon.process_table import read_process
from prismctl.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.daemon.monitor import Monitor
    from prismctl.domain.observation import InstanceKey

END_SECONDS: Final = 20.0
"""How long instances may take to be gone, beyond the grace that they are given."""
_LOOK_SECONDS: Final = 0.02


class Departures:
    """The processes of instances that are to go; made while those still run."""

    def __init__(self, monitor: Monitor, is_leaving: Callable[[InstanceKey], bool]) -> None:
        self._monitor = monitor
        self._is_leaving = is_leaving
        self._seen: dict[int, float] = {}
        self._names: set[str] = set()
        self._note()

    async def wait(self, grace_seconds: float) -> None:
        """Return once no process of them is left.

        Args:
            grace_seconds: how long each stage of a stop takes where a process does not want to go.

        Raises:
            DeadlineError: one does not end.
        """
        deadline = time.monotonic() + 2 * grace_seconds + END_SECONDS
        while self._note() or self._living():
            if time.monotonic() >= deadline:
                names, pids = sorted(self._names), map(str, self._living())
                raise DeadlineError(
                    f"{', '.join(names)} did not stop: PID {', '.join(pids)}",
                    hint="`prismctl dev stop --kill` ends everything at once",
                )
            # A bounded poll: of a process that is no child of this one, nobody tells.
            await asyncio.sleep(_LOOK_SECONDS)

    def _note(self) -> bool:
        """Take note of their processes; whether the engine still tells of any."""
        main = {key: pid for key, pid in self._monitor.main_pids().items() if self._is_leaving(key)}
        # Both of a container: what keeps it takes it away after all inside has ended.
        inner = {
            key: found.pid
            for key, found in self._monitor.inner_processes().items()
            if self._is_leaving(key)
        }
        self._names.update(key.service for key in (*main, *inner))
        for pid in (*main.values(), *inner.values()):
            facts = read_process(pid)
            if facts is not None:
                self._seen.setdefault(pid, facts.started)
        return bool(main)

    def _living(self) -> list[int]:
        found = {pid: read_process(pid) for pid in self._seen}
        return [
            pid
            for pid, facts in found.items()
            if facts is not None and not facts.is_gone and facts.started == self._seen[pid]
        ]
