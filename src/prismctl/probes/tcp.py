"""Ready when somebody accepts connections."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from prismctl.probes.connect import open_socket
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import socket

    from prismctl.probes.question import Question

PROXY_SECONDS: Final = 0.1
"""How soon a container's proxy hangs up on whom it cannot connect; on one machine it takes less than a thousandth."""


async def probe_tcp(question: Question) -> None:
    """Connect and hang up.

    Raises:
        NotReadyError: nobody accepts, or only the proxy in front of a container does.
    """
    connection = await open_socket(question.host, question.port)
    try:
        if question.pid_file is not None and await _is_hung_up_on(connection):
            raise NotReadyError(
                f"{question.host}:{question.port} hangs up at once: nobody listens inside the container"
            )
    finally:
        connection.close()


async def _is_hung_up_on(connection: socket.socket) -> bool:
    """Docker's and rootless Podman's proxies accept for a server that is not there yet."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PROXY_SECONDS):
            try:
                return not await asyncio.get_running_loop().sock_recv(connection, 1)
            except OSError:
                return True
    return False
