"""Unix sockets of a stack from the connecting side: who listens, and whether they could answer."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.01
"""Nothing notifies about a socket that begins to listen or a lock that is let go: they are tried so often."""


def connect(path: Path) -> socket.socket | None:
    """A connection; ``None`` where nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def answers(path: Path) -> bool:
    """Whether somebody listens."""
    connection = connect(path)
    if connection is None:
        return False
    connection.close()
    return True


def poll_connect(path: Path, seconds: float) -> socket.socket | None:
    """Try until somebody listens; ``None`` when nobody did in time."""
    deadline = time.monotonic() + seconds
    while (connection := connect(path)) is None:
        if time.monotonic() >= deadline:
            return None
        time.sleep(POLL_SECONDS)
    return connection


def read_listener_pid(connection: socket.socket) -> int:
    """Who listens at the other end; 0 where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def is_suspended(pid: int) -> bool:
    """Whether a signal holds the process; ``False`` where the system does not tell."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return facts.rpartition(b")")[2].split()[0] == b"T"
