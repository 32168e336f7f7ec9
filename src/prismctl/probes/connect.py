"""One connection attempt, with a refusal told in words."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import Final

from prismctl.probes.question import NotReadyError

_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection closed",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
}


async def open_socket(host: str, port: int) -> socket.socket:
    """A connected non-blocking socket; the caller closes it.

    Raises:
        NotReadyError: nobody accepts there.
    """
    loop = asyncio.get_running_loop()
    try:
        family, address = await _resolve(host, port)
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
    except OSError as error:
        raise NotReadyError(describe_failure(error, host, port)) from error
    try:
        await loop.sock_connect(connection, address)
        _refuse_own_echo(connection)
    except OSError as error:
        connection.close()
        raise NotReadyError(describe_failure(error, host, port)) from error
    except BaseException:
        connection.close()
        raise
    return connection


async def open_streams(
    host: str, port: int, *, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The same as streams; ``limit`` bounds one line in bytes."""
    connection = await open_socket(host, port)
    try:
        return await asyncio.open_connection(sock=connection, limit=limit)
    except BaseException:
        connection.close()
        raise


async def close_stream(writer: asyncio.StreamWriter) -> None:
    """Let go of a connection without waiting for the other side."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def describe_failure(error: OSError, host: str, port: int) -> str:
    """Why a connection did not work, in words and with its address."""
    words = _WORDS.get(error.errno or 0) or os.strerror(error.errno or 0).lower()
    return f"{words} at {host}:{port}"


def _refuse_own_echo(connection: socket.socket) -> None:
    """A port that the system hands out to clients can be connected to itself while nobody listens there."""
    if connection.getsockname() == connection.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


async def _resolve(
    host: str, port: int
) -> tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]:
    if host == "127.0.0.1":
        return socket.AF_INET, (host, port)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return family, address
