from __future__ import annotations

import asyncio

from prism_services.memstore.store import NANOSECONDS, Store
from prism_services.memstore.sweeper import Sweeper
from prism_services.serving.journal import Journal


class SweptStore(Store):
    """A store that tells when it was swept."""

    def __init__(self) -> None:
        self.now = 0
        self.swept = asyncio.Event()
        super().__init__(max_keys=10, clock=lambda: self.now)

    def sweep(self) -> int:
        self.swept.set()
        return super().sweep()


async def test_expired_keys_are_freed_and_then_nothing_wakes_it() -> None:
    store = SweptStore()
    sweeper = Sweeper(store, period=0.001, journal=Journal("tested"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(sweeper.run())
        store.set("k", b"")
        store.expire("k", 1)
        store.now = 2 * NANOSECONDS
        assert not store.swept.is_set()
        sweeper.expiry_was_set()
        await store.swept.wait()
        assert len(store) == 0
        assert not sweeper._needed.is_set()
        running.cancel()


async def test_it_goes_on_while_a_key_expires_later() -> None:
    store = SweptStore()
    sweeper = Sweeper(store, period=0.001, journal=Journal("tested"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(sweeper.run())
        store.set("k", b"")
        store.expire("k", 1)
        sweeper.expiry_was_set()
        await store.swept.wait()
        assert len(store) == 1
        store.now = 2 * NANOSECONDS
        store.swept.clear()
        await store.swept.wait()
        assert len(store) == 0
        running.cancel()
