"""The unix socket of the API: for processes of the same user, and for nobody else."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

BACKLOG: Final = 128
"""How many may wait to be accepted."""


def is_own_user(writer: asyncio.StreamWriter) -> bool:
    """Whether the process at the other end runs as the same user; where that cannot be asked, the mode decides."""
    connection: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, uid, _ = struct.unpack("3i", credentials)
    return bool(uid in {os.getuid(), 0})


def listen(path: Path) -> socket.socket:
    """A listening socket (0600) in place of whatever was there; only to be called by who holds the lock.

    Raises:
        PrismError: it cannot be made.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PrismError(f"cannot listen at {path}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening
