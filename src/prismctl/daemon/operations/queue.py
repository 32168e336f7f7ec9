"""What is being done: one change at a time, the same one is shared, and a stop goes before all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.http import render_error
from prismctl.domain.events import event_to_json
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prismctl.daemon.event_log import EventLog

WARM: Final = "warm "
"""What the subject of bringing an engine's agents up begins with."""


class Operation:
    """One thing that was asked for."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        """Two operations with the same subject are one."""
        self.document: dict[str, Any] | None = None
        """``{"result": …}`` or ``{"error": …}``, once it is over."""
        self.successor: Operation | None = None
        """What took its place, when it was not carried through."""

    @property
    def outcome(self) -> dict[str, Any] | None:
        """How it ended, or how what took its place did."""
        return self.successor.outcome if self.successor is not None else self.document


class OperationQueue:
    """Carries operations out; clients come and go without consequence."""

    def __init__(self, events: EventLog, on_idle: Callable[[], None]) -> None:
        self._events = events
        self._on_idle = on_idle
        self.turn = asyncio.Lock()
        """Held while something is changed, not while it is waited for what comes of it."""
        self._tasks: dict[Operation, asyncio.Task[None]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything is being done or waits for its turn."""
        return bool(self._tasks)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What is being done or waits for its turn, oldest first."""
        return tuple(operation.subject for operation in self._tasks)

    def find(self, subject: str) -> Operation | None:
        """The newest unfinished operation, when it is about the same."""
        newest = next(reversed(self._tasks), None)
        return newest if newest is not None and newest.subject == subject else None

    def start(self, subject: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> Operation:
        """Do something; where it changes what runs, it takes its turn."""
        operation = Operation(subject)
        task = asyncio.get_running_loop().create_task(
            self._carry_out(operation, work), name=subject
        )
        self._tasks[operation] = task
        task.add_done_callback(lambda _: self._finish(operation))
        return operation

    def start_instead(
        self, subject: str, work: Callable[[], Awaitable[dict[str, Any]]]
    ) -> Operation:
        """Give up everything that is being done, and do this."""
        given_up = dict(self._tasks)
        operation = self.start(subject, work)
        for other, task in given_up.items():
            other.successor = operation
            task.cancel()
        return operation

    async def tell(self, operation: Operation, after: int) -> AsyncIterator[dict[str, Any]]:
        """The events beyond a sequence while the operation goes on, and at last how it ended."""
        while True:
            arrival = self._events.arrival
            outcome = operation.outcome
            for event in self._events.after(after):
                after = event.sequence
                yield {"event": event_to_json(event)}
            if outcome is not None:
                yield outcome
                return
            await arrival.wait()

    async def close(self) -> None:
        """Give up everything."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _carry_out(
        self, operation: Operation, work: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        try:
            operation.document = {"result": await work()}
        except PrismError as error:
            operation.document = {"error": render_error(error)}

    def _finish(self, operation: Operation) -> None:
        task = self._tasks.pop(operation)
        if operation.document is None and operation.successor is None:
            error = PrismError("the operation was given up")
            if not task.cancelled() and task.exception() is not None:
                error = PrismError(f"the daemon failed: {task.exception()!r}")
                task.get_loop().call_exception_handler(
                    {"message": operation.subject, "exception": task.exception()}
                )
            operation.document = {"error": render_error(error)}
        self._events.wake()
        if not self._tasks:
            self._on_idle()
