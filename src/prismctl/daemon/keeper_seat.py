"""The one keeper of a stack: connected to, guarded, waited for while it is replaced, and let go on when it is held."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Final

from prismctl.daemon.keeper_link import KeeperLink, open_keeper
from prismctl.daemon.suspended_keeper import LOOK_SECONDS, SuspendedError, end_hold, find_hold
from prismctl.domain.events import EventKind
from prismctl.errors import PrismError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prismctl.daemon.event_log import EventLog
    from prismctl.daemon.monitor import Monitor
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient, KeeperFacts

END_SECONDS: Final = 2.0
"""How long the keeper may take to go once it has said that nothing is left."""
FAREWELL_SECONDS: Final = 1.0
"""How long it may take to hear that this daemon leaves it alone."""
RECOVERY_DELAYS: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""How long it is waited before each attempt to replace it; before all later ones as before the last."""
RECOVERY_SECONDS: Final = 60.0
"""How long an operation waits for a lost keeper to be replaced."""


class KeeperSeat:
    """Holds the connection to the keeper that is there, from `open` on."""

    def __init__(self, paths: StackPaths, monitor: Monitor, events: EventLog) -> None:
        self._paths = paths
        self._monitor = monitor
        self._events = events
        self.link: KeeperLink | None = None
        """The newest connection."""
        self._is_there = asyncio.Event()

    async def open(self, starting: int | None = None) -> KeeperFacts:
        """Connect to the keeper that is there, or that says on the pipe ``starting`` that it is, or start one.

        Raises:
            PrismError: there is no keeper and none can be started.
        """
        self.link = await open_keeper(self._paths, starting)
        return self.link.facts

    @property
    def client(self) -> KeeperClient:
        """The way to it.

        Raises:
            UnavailableError: it was never connected to.
        """
        if self.link is None:
            raise UnavailableError("there is no keeper")
        return self.link.client

    @property
    def pid(self) -> int:
        """Of whoever was last connected to; 0 before."""
        return self.link.facts.pid if self.link is not None else 0

    # Its loss.

    async def guard(
        self,
        replace: Callable[[], Awaitable[None]],
        *,
        on_loss: Callable[[], None],
        is_ending: Callable[[], bool],
    ) -> None:
        """Have a keeper that died replaced, until its end is what everybody wants.

        Args:
            replace: opens another one and brings back what ran.
            on_loss: is called at once.
            is_ending: whether the end of the keeper is no loss.
        """
        while True:
            self._is_there.set()
            await self.client.wait_closed()
            if is_ending():
                return
            self._is_there.clear()
            on_loss()
            self._tell_loss()
            await self._retry(replace)

    async def has_gone(self) -> bool:
        """Whether it does not answer; from then on until it is replaced, it can be waited for."""
        try:
            if self.link is not None:
                await self.link.client.list()
        except UnavailableError:
            self._is_there.clear()
            return True
        return False

    async def wait_until_replaced(self, cause: UnavailableError) -> None:
        """Return once there is another one, and what ran is back.

        Raises:
            UnavailableError: it takes too long; ``cause`` is what its loss was noticed by.
        """
        try:
            async with asyncio.timeout(RECOVERY_SECONDS):
                await self._is_there.wait()
        except TimeoutError as error:
            raise UnavailableError(f"the keeper could not be replaced: {cause.message}") from error

    # A signal holds it.

    def refuse_silence(self) -> None:
        """Say it, where an answer is missing because the keeper is suspended.

        Raises:
            SuspendedError: it is.
        """
        if self.link is None or self.link.client.silent_seconds < LOOK_SECONDS:
            return
        held = find_hold(self.link.process)
        if held is not None:
            raise SuspendedError(held)

    def end_hold(self) -> int | None:
        """Continue it where it is suspended; its PID, where it was."""
        keeper = self.link.process if self.link is not None else None
        held = find_hold(keeper)
        if keeper is None or held is None:
            return None
        end_hold(keeper)
        return held

    # Its end, and this daemon's.

    async def shut_down(self, *, kill: bool) -> None:
        """Have it end all that it keeps, and itself.

        Raises:
            PrismError: something could not be ended.
        """
        if self.link is not None:
            with contextlib.suppress(UnavailableError, TimeoutError):
                await self.link.client.shutdown(kill=kill)
                async with asyncio.timeout(END_SECONDS):
                    await self.link.client.wait_closed()

    async def hang_up(self) -> None:
        """Close the connection; the keeper, where there is one, starts another daemon."""
        if self.link is not None:
            await self.link.client.close()

    async def say_goodbye(self) -> None:
        """Leave it alone: it goes on, and does not start this daemon again."""
        if self.link is not None:
            with contextlib.suppress(PrismError, TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self.link.client.goodbye()
        await self.hang_up()

    # Inside.

    def _tell_loss(self) -> None:
        self._monitor.lose_component("keeper")
        self._events.append(
            EventKind.COMPONENT_LOST,
            service="keeper",
            message="the keeper was killed, and everything it kept with it",
            details={"pid": self.pid},
        )

    async def _retry(self, replace: Callable[[], Awaitable[None]]) -> None:
        for delay in itertools.chain(RECOVERY_DELAYS, itertools.repeat(RECOVERY_DELAYS[-1])):
            # A paced retry: what ended a keeper at once will most likely do so again at once.
            await asyncio.sleep(delay)
            try:
                await replace()
            except PrismError as error:
                self._monitor.add_note(f"the keeper cannot be replaced: {error.message}")
            else:
                return
