"""The one engine of a stack: opened when a plan names it, ended or let go of when another takes its place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prismctl.engine.registry import make_engine

if TYPE_CHECKING:
    from prismctl.daemon.monitor import Monitor
    from prismctl.daemon.readiness import StackReadiness
    from prismctl.domain.plan import EngineName
    from prismctl.engine.interface import Engine
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient


class EngineSeat:
    """Holds at most one engine; whoever uses it, or changes which it is, does so in `turn`."""

    def __init__(self, paths: StackPaths, monitor: Monitor, readiness: StackReadiness) -> None:
        self._paths = paths
        self._monitor = monitor
        self._readiness = readiness
        self.turn = asyncio.Lock()
        self.engine: Engine | None = None
        """The engine in use."""
        self.name: EngineName | None = None
        """Which one it is."""

    async def fill(self, name: EngineName, keeper: KeeperClient) -> Engine:
        """The named engine, opened; another one that was in use is ended.

        Raises:
            PrismError: it did not come up, or the other would not end.
        """
        if self.engine is not None and self.name is name:
            return self.engine
        await self.end(kill=False)
        engine = make_engine(
            name,
            paths=self._paths,
            keeper=keeper,
            reporter=self._monitor,
            readiness=self._readiness,
        )
        try:
            await engine.open()
        except BaseException:
            await engine.close()
            raise
        self.engine, self.name = engine, name
        self._monitor.use_engine(name.value, engine.endpoints)
        return engine

    async def end(self, *, kill: bool) -> None:
        """End all that runs on the engine, and the engine's own agents.

        Raises:
            PrismError: something could not be ended; the engine stays.
        """
        if self.engine is None:
            return
        engine = self.engine
        await engine.stop(kill=kill)
        self.engine, self.name = None, None
        await engine.close()
        self._monitor.use_engine("", dict)

    async def let_go(self) -> EngineName | None:
        """Forget the engine without ending anything; which one it was."""
        name, engine = self.name, self.engine
        self.engine, self.name = None, None
        if engine is not None:
            await engine.close()
        return name
