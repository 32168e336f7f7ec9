"""Every placed task's output is copied while it runs, and to its end when it has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prismctl.engine.nomad.logs import LogPump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prismctl.domain.observation import InstanceKey
    from prismctl.engine.nomad.decode import Allocation, GroupId
    from prismctl.engine.nomad.layout import AgentLayout


class TaskLogs:
    """Tells the log pump whose output there is."""

    def __init__(self, layout: AgentLayout) -> None:
        self._layout = layout
        self._pump: LogPump | None = None
        self._finished: set[str] = set()
        """Allocations of which everything has been copied."""

    def open(self) -> None:
        """Begin to copy; once is enough, twice is fine."""
        if self._pump is None:
            paths = self._layout.paths
            self._pump = LogPump(
                lambda key: paths.log(str(key)), self._layout.task_logs, self._layout.log_positions
            )
            self._pump.start()

    def carry(
        self,
        allocations: Iterable[Allocation],
        find_key: Callable[[GroupId], InstanceKey | None],
    ) -> None:
        """Copy what the tasks of allocations print; of those that are nobody's, nothing."""
        if self._pump is None:
            return
        for allocation in allocations:
            key = find_key(allocation.group_id)
            if key is None or allocation.id in self._finished:
                continue
            self._pump.follow(key, allocation.id, key.service)
            if allocation.is_terminal:
                self._finished.add(allocation.id)
                self._pump.finish(allocation.id)

    async def finish_all(self) -> None:
        """Copy to its end whatever is left; Nomad's files may be gone, what is open can still be read."""
        self._finished.clear()
        if self._pump is not None:
            await asyncio.wrap_future(self._pump.finish_all())

    async def close(self) -> None:
        """Copy no more; whoever is next goes on where this ended."""
        pump, self._pump = self._pump, None
        if pump is not None:
            await asyncio.to_thread(pump.close)
