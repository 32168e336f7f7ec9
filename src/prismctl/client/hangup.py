"""The end of a stream from outside: who reads one is blocked as long as nothing comes."""

from __future__ import annotations

import contextlib
import socket
import threading


class Hangup:
    """Ends the stream that it was given to, from whatever thread, also one that is not open yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether it was hung up."""
        return self._is_over

    def watch_over(self, connection: socket.socket) -> None:
        """From now on, hanging up ends this connection; at once, where that has been asked for already."""
        with self._lock:
            self._connection = connection
            if self._is_over:
                _cut(connection)

    def hang_up(self) -> None:
        """End the stream; whoever reads it finds its end."""
        with self._lock:
            self._is_over = True
            if self._connection is not None:
                _cut(self._connection)


def _cut(connection: socket.socket) -> None:
    # One that is closed already has ended.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
