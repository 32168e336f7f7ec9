"""One client's connection: lines in, lines out, neither without bound."""

from __future__ import annotations

import json
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from prismctl.keeper.protocol import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.keeper.loop import Loop

READ_BYTES: Final = 64 * 1024
REQUESTS_A_TURN: Final = 8
"""After so many requests others have their turn: a spawn takes a millisecond or two."""
MAX_UNSENT_BYTES: Final = 4 * 1024 * 1024
"""A client that leaves more than this unread is disconnected."""


class Connection:
    """Reads JSON objects, hands each to ``on_request``, and calls ``on_end`` once when it is over."""

    def __init__(
        self,
        connected: socket.socket,
        loop: Loop,
        *,
        on_request: Callable[[Connection, dict[str, Any]], None],
        on_end: Callable[[Connection], None],
    ) -> None:
        self.peer_pid = read_peer(connected)[1]
        """0 where the system does not tell."""
        self.is_watching = False
        """It asked for events."""
        self.end_reason = ""
        """Why it was ended from this side; empty when the client left."""
        self._socket = connected
        self._loop = loop
        self._on_request = on_request
        self._on_end = on_end
        self._received = bytearray()
        self._searched = 0
        self._unsent = bytearray()
        self._is_open = True
        self._is_leaving = False
        self._waits_for: tuple[bool, bool] = (False, False)
        connected.setblocking(False)
        self._wait()

    def send(self, message: dict[str, Any]) -> None:
        """Send one object; as much as fits at once, the rest when there is room."""
        self.send_line(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def send_line(self, line: bytes) -> None:
        """Send one object that is written down already."""
        if not self._is_open:
            return
        self._unsent += line
        if self._flush() and len(self._unsent) > MAX_UNSENT_BYTES:
            self.end("it does not read what it is sent")

    def end(self, reason: str = "") -> None:
        """Close it."""
        if not self._is_open:
            return
        self._is_open = False
        self.end_reason = self.end_reason or reason
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()
        self._on_end(self)

    def flush_and_end(self, seconds: float) -> None:
        """Send the rest, waiting at most so long, and close."""
        if self._is_open:
            self._loop.unwatch(self._socket.fileno())
            try:
                if self._unsent:
                    self._socket.settimeout(seconds)
                    self._socket.sendall(self._unsent)
            except OSError:
                self.end_reason = "it left before everything was sent"
            self.end()

    def _refuse_and_end(self, error: str) -> None:
        """The client does not speak this language: say so once, then close."""
        self._is_leaving = True
        self.end_reason = error
        self.send({"id": None, "ok": False, "error": error})
        if not self._unsent:
            self.end()

    def _wait(self) -> None:
        # Who does not take replies is not asked for more requests.
        wanted = (not self._is_leaving and len(self._unsent) < READ_BYTES, bool(self._unsent))
        if wanted != self._waits_for:
            self._waits_for = wanted
            self._loop.change(
                self._socket.fileno(),
                read=self._read if wanted[0] else None,
                write=self._write if wanted[1] else None,
            )

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self._received += data
        self._handle_lines()

    def _handle_lines(self) -> None:
        for _ in range(REQUESTS_A_TURN):
            if not self._is_open or self._is_leaving:
                return
            end = self._received.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(self._received)
                if self._searched > MAX_LINE_BYTES:
                    self._refuse_and_end(f"a line is longer than {MAX_LINE_BYTES} bytes")
                return
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._searched = 0
            self._handle_line(line)
        if self._received:
            self._loop.call_soon(self._handle_lines)

    def _handle_line(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if isinstance(request, dict):
            self._on_request(self, request)
        else:
            self._refuse_and_end("a line is not a JSON object")

    def _write(self) -> None:
        if self._flush() and self._is_leaving and not self._unsent:
            self.end()

    def _flush(self) -> bool:
        """Send what fits; False when the connection is over."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.end("it left while it was sent something")
            return False
        self._wait()
        return True


def read_peer(connected: socket.socket) -> tuple[int, int]:
    """User id and PID (0: unknown) of who connected, as the kernel knows them.

    Raises:
        OSError: the system does not tell.
    """
    if hasattr(socket, "SO_PEERCRED"):
        data = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", data)
        return uid, pid
    # SOL_LOCAL and LOCAL_PEERCRED of the BSDs: `struct xucred` starts with a version and the user id.
    data = connected.getsockopt(0, 1, 76)
    _, uid = struct.unpack("2I", data[:8])
    return uid, 0
