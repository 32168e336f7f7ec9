"""One thread that waits for everything at once: descriptors, timers and signals.

Descriptors are of two kinds. What people wait for (requests, signals, ended processes) is served first in
every turn; bulk (output of services) is served in turns of bounded length, whoever waited longest first. So
a flood of output neither delays a request nor starves another service's output. With nothing due the
process sleeps without a timeout.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

BULK_SECONDS: Final = 0.004
"""How long bulk is served before everything else is looked at again."""


class Timer:
    """Something due at a time; ``cancel`` makes it never happen."""

    __slots__ = ("callback", "due")

    def __init__(self, due: float, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: Timer) -> bool:
        return self.due < other.due

    def cancel(self) -> None:
        """Let it pass."""
        self.callback = None


class Loop:
    """Calls back when something can be read or written, when a time has come, when a signal arrived."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._served: dict[int, int] = {}
        self.turn = 0
        """Counts the times something was waited for."""
        self._is_running = False
        self._signal_handlers: dict[int, Callable[[], object]] = {}
        self._signals: set[int] = set()
        self._wakeup = os.pipe()
        for descriptor in self._wakeup:
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        self.watch(self._wakeup[0], self._handle_signals)

    def watch(
        self, descriptor: int, callback: Callable[[], object], *, is_bulk: bool = False
    ) -> None:
        """Call back whenever ``descriptor`` can be read or has ended."""
        self._selector.register(descriptor, selectors.EVENT_READ, (callback, None))
        if is_bulk:
            self._served[descriptor] = self.turn

    def change(
        self,
        descriptor: int,
        *,
        read: Callable[[], object] | None,
        write: Callable[[], object] | None,
    ) -> None:
        """Say anew what is waited for; both ``None`` is ``unwatch``."""
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if not events:
            self.unwatch(descriptor)
        elif descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events, (read, write))
        else:
            self._selector.register(descriptor, events, (read, write))

    def unwatch(self, descriptor: int) -> None:
        """Stop calling back; needed before the descriptor is closed."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)
        self._served.pop(descriptor, None)

    def call_at(self, due: float, callback: Callable[[], object]) -> Timer:
        """Call back once when the monotonic clock says ``due``."""
        timer = Timer(due, callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_soon(self, callback: Callable[[], object]) -> Timer:
        """Call back once everything that is ready now was served."""
        return self.call_at(time.monotonic(), callback)

    def on_signal(self, number: int, callback: Callable[[], object]) -> None:
        """Call back, from the loop, after the signal arrived."""
        self._signal_handlers[number] = callback
        signal.signal(number, self._note_signal)

    def run(self) -> None:
        """Serve until ``stop``."""
        self._is_running = True
        while self._is_running:
            self.turn += 1
            self._serve(self._selector.select(self._seconds_to_wait()))
            self._call_timers()

    def stop(self) -> None:
        """Return from ``run`` at the end of this turn."""
        self._is_running = False

    def close(self) -> None:
        """Give descriptors and signals back."""
        signal.set_wakeup_fd(-1)
        for number in self._signal_handlers:
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        for descriptor in self._wakeup:
            os.close(descriptor)

    def _serve(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        bulk = []
        for key, events in ready:
            if key.fd in self._served:
                bulk.append(key)
                continue
            read, write = key.data
            if write is not None and events & selectors.EVENT_WRITE:
                write()
            # Serving one may end another, or even the other half of this one.
            if read is not None and events & selectors.EVENT_READ and self._is_current(key):
                read()
        if not bulk:
            return
        bulk.sort(key=lambda key: self._served.get(key.fd, 0))
        end = time.monotonic() + BULK_SECONDS
        for key in bulk:
            if self._is_current(key):
                self._served[key.fd] = self.turn
                key.data[0]()
            if time.monotonic() >= end:
                return

    def _is_current(self, key: selectors.SelectorKey) -> bool:
        now = self._selector.get_map().get(key.fd)
        return now is not None and now.data == key.data

    def _seconds_to_wait(self) -> float | None:
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0].due - time.monotonic()) if self._timers else None

    def _call_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].due <= now:
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                callback()

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.add(number)

    def _handle_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wakeup[0], 4096):
                pass
        while self._signals:
            self._signal_handlers[self._signals.pop()]()
