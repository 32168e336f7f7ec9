"""Frees the memory of expired keys that nobody asks for; sleeps while no key expires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prism_services.memstore.store import Store
    from prism_services.serving.journal import Journal


class Sweeper:
    """Sweeps a store every ``period`` seconds for as long as some key has an expiry."""

    def __init__(self, store: Store, *, period: float, journal: Journal) -> None:
        self._store = store
        self._period = period
        self._journal = journal
        self._needed = asyncio.Event()

    def expiry_was_set(self) -> None:
        """Wake it: a key expires now."""
        self._needed.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._needed.wait()
            await asyncio.sleep(self._period)
            swept = self._store.sweep()
            if swept:
                self._journal.debug("swept", expired=swept, keys=len(self._store))
            if not self._store.expiring:
                self._needed.clear()
