"""The shims' run files as they change: the kernel says when, nobody else needs asking."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from prismctl.engine.nomad.applied import parse_key
from prismctl.engine.nomad.environment_files import Run, load_run
from prismctl.engine.nomad.inotify import IN_MOVED_TO, IS_AVAILABLE, Inotify
from prismctl.engine.nomad.job import RUN_SUFFIX
from prismctl.engine.nomad.processes import ProcessId, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.observation import InstanceKey

_POLL_SECONDS: Final = 0.2
"""Where the kernel cannot tell."""


class RunWatch:
    """The latest run of every instance; calls back when one begins, goes on to its next stage, or ends."""

    def __init__(self, directory: Path, on_change: Callable[[], None]) -> None:
        self._directory = directory
        self._on_change = on_change
        self._runs: dict[InstanceKey, Run] = {}
        self._alive: dict[ProcessId, asyncio.Task[None]] = {}
        self._inotify: Inotify | None = None
        self._polling: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin, with what is there."""
        if IS_AVAILABLE:
            self._inotify = Inotify()
            self._inotify.add(self._directory, IN_MOVED_TO)
            asyncio.get_running_loop().add_reader(self._inotify.descriptor, self._read_changes)
        else:
            self._polling = asyncio.create_task(self._poll(), name="runs")
        self._load_all()

    async def close(self) -> None:
        """Watch no longer."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
            self._inotify.close()
            self._inotify = None
        tasks = [*self._alive.values(), *([self._polling] if self._polling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._alive.clear()

    def run(self, key: InstanceKey) -> Run | None:
        """The latest run of an instance."""
        return self._runs.get(key)

    def is_alive(self, key: InstanceKey) -> bool:
        """Whether the process of its latest run lives."""
        run = self._runs.get(key)
        return run is not None and run.process in self._alive

    def forget(self, key: InstanceKey) -> None:
        """Drop what is known of an instance."""
        self._runs.pop(key, None)

    def _read_changes(self) -> None:
        if self._inotify is None:
            return
        changes = self._inotify.read()
        if any(change.watch < 0 for change in changes):
            self._load_all()
        for name in {change.name for change in changes if change.name.endswith(RUN_SUFFIX)}:
            self._load(self._directory / name)
        self._on_change()

    def _load_all(self) -> None:
        for path in self._directory.glob(f"*{RUN_SUFFIX}"):
            self._load(path)
        self._on_change()

    def _load(self, path: Path) -> None:
        run = load_run(path)
        if run is None:
            return
        with contextlib.suppress(ValueError):
            self._runs[parse_key(path.name.removesuffix(RUN_SUFFIX))] = run
            if run.process not in self._alive and run.is_alive:
                self._alive[run.process] = asyncio.create_task(
                    self._wait(run.process), name=f"end of {run.process.pid}"
                )

    async def _wait(self, process: ProcessId) -> None:
        await wait_until_gone(process)
        self._alive.pop(process, None)
        self._on_change()

    async def _poll(self) -> None:
        while True:
            before = dict(self._runs)
            for path in self._directory.glob(f"*{RUN_SUFFIX}"):
                self._load(path)
            if self._runs != before:
                self._on_change()
            # A bounded poll: this kernel cannot tell of changes in a directory.
            await asyncio.sleep(_POLL_SECONDS)
