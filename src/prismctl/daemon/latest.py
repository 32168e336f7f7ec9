"""Fan-out of state: every reader gets the newest value, however slowly it reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = TypeVar("T")


class LatestValue(Generic[T]):
    """One value that changes; changes that come faster than they are read are merged."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._changed = asyncio.Event()
        self._readers = 0

    @property
    def value(self) -> T:
        """The newest one."""
        return self._value

    @property
    def readers(self) -> int:
        """How many watch at present."""
        return self._readers

    def set(self, value: T) -> None:
        """Replace the value and wake everybody who watches."""
        self._value = value
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def watch(self) -> AsyncIterator[T]:
        """The value now, then the newest one after each change."""
        self._readers += 1
        try:
            seen = -1
            while True:
                if seen == self._version:
                    await self._changed.wait()
                seen = self._version
                yield self._value
        finally:
            self._readers -= 1
