"""Agents that die are brought back, as often as that makes sense; then the stack is handed over again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from prismctl.domain.events import EventKind
from prismctl.engine.nomad.tasks import Tasks
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.engine.interface import Reporter
    from prismctl.engine.nomad.agents import Agents

RECOVERY_DELAYS: Final = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)
"""Before each attempt to bring a lost agent back, in seconds."""
STABLE_SECONDS: Final = 30.0
"""An agent that lived this long was not part of a crash loop."""


class Recovery:
    """Watches over the agents; what is to be done beyond starting them again is the engine's."""

    def __init__(
        self,
        agents: Agents,
        reporter: Reporter,
        changing: asyncio.Lock,
        *,
        on_loss: Callable[[set[str]], None],
        hand_over_again: Callable[[set[str]], Awaitable[None]],
    ) -> None:
        self._agents = agents
        self._reporter = reporter
        self._changing = changing
        """Held by whoever changes what runs, so that nothing is handed over to half an engine."""
        self._on_loss = on_loss
        self._hand_over_again = hand_over_again
        self._tasks = Tasks()

    def begin(self) -> None:
        """Watch over the agents from now on."""
        self._tasks.start(self._watch_over(), "agents")

    async def end(self) -> None:
        """Let them die from now on."""
        await self._tasks.end()

    async def _watch_over(self) -> None:
        attempt = 0
        while True:
            began_at = time.monotonic()
            lost = await self._agents.wait_until_lost()
            if time.monotonic() - began_at > STABLE_SECONDS:
                attempt = 0
            async with self._changing:
                self._take_note_of_loss(lost)
                while not await self._recover(lost, RECOVERY_DELAYS[attempt]):
                    attempt += 1
                    if attempt == len(RECOVERY_DELAYS):
                        self._give_up(lost)
                        return
                    # The other one may have died meanwhile, or what was brought back again.
                    more = self._agents.find_lost()
                    self._take_note_of_loss(more)
                    lost |= more
            attempt = min(attempt + 1, len(RECOVERY_DELAYS) - 1)

    def _take_note_of_loss(self, lost: set[str]) -> None:
        self._agents.forget_lost(lost)
        self._on_loss(lost)

    async def _recover(self, lost: set[str], delay_seconds: float) -> bool:
        began_at = time.monotonic()
        # A paced retry: what ended an agent at once will most likely do so again at once.
        await asyncio.sleep(delay_seconds)
        try:
            await self._agents.bring_back()
            await self._hand_over_again(lost)
        except PrismError as error:
            self._reporter.note(
                EventKind.COMPONENT_LOST, _names(lost), f"not back yet: {error.message}"
            )
            return False
        self._agents.report_back(lost, time.monotonic() - began_at)
        return True

    def _give_up(self, lost: set[str]) -> None:
        message = (
            f"gave up bringing it back after {len(RECOVERY_DELAYS)} attempts; "
            "`prismctl dev restart` tries again"
        )
        self._agents.report_lost(lost, message)


def _names(keys: set[str]) -> str:
    return ", ".join(sorted(keys))
