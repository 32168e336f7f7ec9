"""How often, and after which waits, something is asked again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prismctl.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class PassingError(UnavailableError):
    """It did not work, and may when it is asked again."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        wait_seconds: float | None = None,
        is_reachable: bool = True,
    ) -> None:
        super().__init__(message, hint=hint)
        self.wait_seconds = wait_seconds
        """What the server asked to wait; ``None``: it asked for nothing."""
        self.is_reachable = is_reachable
        """Whether there was a server to talk to at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The bounds of everything that is waited for."""

    tries: int = 5
    """In a row, without getting further."""
    first_wait_seconds: float = 0.5
    """Doubled after every failure."""
    longest_wait_seconds: float = 8.0
    longest_asked_seconds: float = 60.0
    """A server that asks for a longer wait is not waited for."""
    connect_seconds: float = 15.0
    read_seconds: float = 30.0
    """Without a single byte."""
    small_seconds: float = 60.0
    """For all of a small document."""
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


class Retries:
    """Counts the failures in a row, and waits between them."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0

    def forget(self) -> None:
        """Start counting again: it went further."""
        self._failures = 0

    async def wait(self, error: PassingError) -> None:
        """Wait until it may be tried again.

        Raises:
            PassingError: the same one, when it was tried often enough.
        """
        self._failures += 1
        if self._failures >= self._patience.tries:
            raise error
        backoff = self._patience.first_wait_seconds * 2 ** (self._failures - 1)
        seconds = min(backoff, self._patience.longest_wait_seconds)
        if error.wait_seconds is not None:
            seconds = max(seconds, error.wait_seconds)
        await self._patience.sleep(seconds)
