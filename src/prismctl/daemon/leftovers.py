"""What an earlier keeper of this stack left running: nothing of the stack may run beside it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from prismctl.daemon.sweep import end_leftovers
from prismctl.domain.events import EventKind
from prismctl.errors import PrismError
from prismctl.runtime.container_sweep import let_containers_go_on, sweep_containers

if TYPE_CHECKING:
    from prismctl.daemon.event_log import EventLog
    from prismctl.daemon.monitor import Monitor
    from prismctl.files.paths import StackPaths


class Leftovers:
    """Ends them, remembers that some would not end, and says what was ended."""

    def __init__(self, paths: StackPaths, monitor: Monitor, events: EventLog) -> None:
        self._paths = paths
        self._monitor = monitor
        self._events = events
        self.are_in_the_way = False
        """Some could not be ended when this daemon began, and nobody has begun afresh since."""

    async def end(self, *, spared_pid: int = 0) -> list[dict[str, Any]]:
        """End what carries the keeper's mark although no keeper keeps it, and what was in containers.

        Raises:
            PrismError: something would not end.
        """
        await asyncio.to_thread(let_containers_go_on, self._paths)
        ended = await asyncio.to_thread(
            end_leftovers, self._paths.keeper_id, spare=(os.getpid(), spared_pid)
        )
        return ended + await asyncio.to_thread(sweep_containers, self._paths)

    async def try_ending(self, *, spared_pid: int) -> list[dict[str, Any]]:
        """The same where somebody who can be told is yet to come: what does not end is in the way of the next start."""
        try:
            return await self.end(spared_pid=spared_pid)
        except PrismError as error:
            self.are_in_the_way = True
            self._monitor.add_note(error.message)
            return []

    def tell(
        self, words: str, ended: list[dict[str, Any]], *, is_always_told: bool = False
    ) -> None:
        """Say what was ended, ``words`` before it; nothing where there was nothing, unless it is always told."""
        if ended or is_always_told:
            self._events.append(
                EventKind.SWEPT,
                message=f"{words} {len(ended)} leftover processes",
                details={"processes": ended},
            )
