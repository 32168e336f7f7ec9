"""Transactions on the control plane's state, for those who live in the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from prism_services.admin.database import DatabaseThread
    from prism_services.admin.state import State

Result = TypeVar("Result")


class Store:
    """Runs work on a ``State``, each in a transaction of its own."""

    def __init__(self, database: DatabaseThread, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def run(self, work: Callable[[State], Result]) -> Result:
        """Do ``work`` completely, or (when it refuses) not at all."""

        def transaction(connection: sqlite3.Connection) -> Result:
            # The rules are not needed to listen: the first to ask for something waits for their import.
            from prism_services.admin.state import state_at

            return work(state_at(connection, self._clock))

        return await self._database.run(transaction)
