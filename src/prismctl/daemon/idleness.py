"""Who wants this daemon to be there: while nobody does, it ends, so that an abandoned picker leaves nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prismctl.daemon.operations.queue import WARM
from prismctl.daemon.operations.stop import stop

if TYPE_CHECKING:
    from prismctl.daemon.stack import Stack

IDLE_SECONDS: Final = 30.0
"""A daemon without a plan, a client and anything to do ends after this long."""


class Idleness:
    """Counts the clients, and those of them who choose what to run; a plan is wanted without any of them."""

    def __init__(self, stack: Stack, idle_seconds: float = IDLE_SECONDS) -> None:
        self._stack = stack
        self._idle_seconds = idle_seconds
        self._clients = 0
        self._choosers = 0
        self._timer: asyncio.TimerHandle | None = None

    def client_came(self) -> None:
        """Somebody is connected."""
        self._clients += 1
        self.reconsider()

    def client_went(self) -> None:
        """Somebody has hung up."""
        self._clients -= 1
        self.reconsider()

    @property
    def is_unclaimed(self) -> bool:
        """Whether nobody has asked for more than the engine's agents."""
        subjects = self._stack.operations.subjects
        asked = (subject for subject in subjects if not subject.startswith(WARM))
        return self._stack.monitor.plan is None and not any(asked)

    @property
    def choosers(self) -> int:
        """How many hold the agents up while they choose what to run on them."""
        return self._choosers

    def chooser_came(self) -> None:
        """Somebody chooses, and wants the agents up meanwhile."""
        self._choosers += 1

    def chooser_went(self) -> None:
        """Somebody who chose has hung up, however that came; what nobody wants any more goes down at once."""
        self._choosers -= 1
        self._end_if_unwanted()

    def lose_starter(self) -> None:
        """Whoever started this was gone before it could be used."""
        self._end_if_unwanted()

    def reconsider(self) -> None:
        """Without a plan, a client and anything to do, end after a while; to be called when one of them changes."""
        self.close()
        stack = self._stack
        is_idle = stack.monitor.plan is None and not self._clients and not stack.operations.is_busy
        if is_idle and not stack.is_ending:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._give_up)

    def close(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_if_unwanted(self) -> None:
        if not self._choosers and self.is_unclaimed and not self._stack.is_ending:
            self._stack.operations.start_instead("stop", lambda: stop(self._stack, kill=False))

    def _give_up(self) -> None:
        self._stack.operations.start("idle", lambda: stop(self._stack, kill=False))
