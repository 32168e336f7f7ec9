"""The store itself: a dictionary with expiry and a limit. Pure but for the clock it is given.

Expiry is lazy (an expired key is gone the moment it is asked for) and swept (``sweep`` frees the memory of
keys that nobody asks for). Times are whole nanoseconds, so that the largest TTL a client can send is exact.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS: Final = 1_000_000_000
LONGEST_KEY: Final = 64 * 1024
"""Bytes of UTF-8."""
NO_EXPIRY: Final = -1
NO_KEY: Final = -2
SLACK: Final = 64
"""Outdated deadlines that are tolerated beyond as many as there are current ones."""


class StoreRefusalError(Exception):
    """A key or a value that the store does not take; the message is the in-band answer."""


@dataclass(slots=True)
class Entry:
    """What is held under a key."""

    value: bytes
    expires_at: int | None = None
    """On the store's clock; ``None``: never."""


class Store:
    """Keys and values, at most ``max_keys`` of them."""

    def __init__(self, *, max_keys: int, clock: Callable[[], int]) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._expiring = 0
        self._deadlines: list[tuple[int, str]] = []
        """A heap; an entry of it is outdated when the key's own deadline differs."""

    def __len__(self) -> int:
        """How many keys are held, expired ones that were not swept included."""
        return len(self._entries)

    @property
    def expiring(self) -> int:
        """How many of them have an expiry."""
        return self._expiring

    def set(self, key: str, value: bytes) -> None:
        """Hold ``value`` under ``key``, without an expiry."""
        check_key(key)
        entry = self._live(key)
        if entry is None:
            self._make_room()
            self._entries[key] = Entry(value)
        else:
            entry.value = value
            self._set_deadline(entry, None)

    def get(self, key: str) -> bytes | None:
        """Give the value; ``None`` when there is none."""
        check_key(key)
        entry = self._live(key)
        return None if entry is None else entry.value

    def delete(self, key: str) -> bool:
        """Drop the key; says whether it was there."""
        check_key(key)
        if self._live(key) is None:
            return False
        self._drop(key)
        return True

    def exists(self, key: str) -> bool:
        """Say whether the key is there."""
        check_key(key)
        return self._live(key) is not None

    def expire(self, key: str, ttl_seconds: int) -> bool:
        """Let the key end in ``ttl_seconds``; says whether it was there."""
        check_key(key)
        if ttl_seconds < 1:
            raise StoreRefusalError(f"ttl_seconds must be at least 1, not {ttl_seconds}")
        entry = self._live(key)
        if entry is None:
            return False
        deadline = self._clock() + ttl_seconds * NANOSECONDS
        self._set_deadline(entry, deadline)
        heapq.heappush(self._deadlines, (deadline, key))
        if len(self._deadlines) > 2 * self._expiring + SLACK:
            self._rebuild_deadlines()
        return True

    def ttl(self, key: str) -> int:
        """Seconds left, rounded up; ``NO_EXPIRY`` or ``NO_KEY`` where there are none."""
        check_key(key)
        entry = self._live(key)
        if entry is None:
            return NO_KEY
        if entry.expires_at is None:
            return NO_EXPIRY
        return -(-(entry.expires_at - self._clock()) // NANOSECONDS)

    def persist(self, key: str) -> bool:
        """Let the key stay for good; says whether it had an expiry."""
        check_key(key)
        entry = self._live(key)
        if entry is None or entry.expires_at is None:
            return False
        self._set_deadline(entry, None)
        return True

    def sweep(self) -> int:
        """Drop what has expired; says how many keys that were."""
        before, now = len(self._entries), self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, key = heapq.heappop(self._deadlines)
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at == deadline:
                self._drop(key)
        return before - len(self._entries)

    def _live(self, key: str) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None or entry.expires_at is None or entry.expires_at > self._clock():
            return entry
        self._drop(key)
        return None

    def _make_room(self) -> None:
        if len(self._entries) >= self._max_keys and not self.sweep():
            raise StoreRefusalError(f"capacity limit reached: {self._max_keys} keys")

    def _drop(self, key: str) -> None:
        self._set_deadline(self._entries.pop(key), None)

    def _set_deadline(self, entry: Entry, deadline: int | None) -> None:
        self._expiring += (deadline is not None) - (entry.expires_at is not None)
        entry.expires_at = deadline

    def _rebuild_deadlines(self) -> None:
        self._deadlines = [
            (entry.expires_at, key)
            for key, entry in self._entries.items()
            if entry.expires_at is not None
        ]
        heapq.heapify(self._deadlines)


def check_key(key: str) -> None:
    """Refuse a key that no store of Prism takes."""
    if not key:
        raise StoreRefusalError("the key is empty")
    size = len(key) if key.isascii() else len(key.encode())
    if size > LONGEST_KEY:
        raise StoreRefusalError(f"the key is {size} bytes long: the limit is {LONGEST_KEY}")
