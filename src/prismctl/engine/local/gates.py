"""Tasks that wait for something before an instance starts: one a key, owned and ended here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable


class Gates:
    """At most one waiting task for each key."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def open(self, key: str, waiting: Coroutine[None, None, None]) -> None:
        """Let something wait; what waited under the same key must have been closed before."""
        task = asyncio.get_running_loop().create_task(waiting, name=f"gate of {key}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._drop(key, task))

    def _drop(self, key: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]

    @property
    def keys(self) -> frozenset[str]:
        """What still waits."""
        return frozenset(self._tasks)

    async def close(self, keys: Iterable[str] | None = None) -> None:
        """End the waiting of some or of all."""
        chosen = self._tasks.keys() if keys is None else keys
        tasks = [self._tasks[key] for key in list(chosen) if key in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
