"""One connection attempt, with a refusal told in words."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from prismctl.probes.confidant import require_confidant
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prismctl.probes.question import Question

SHOWN_BYTES: Final = 24
"""How much is told of an answer in another protocol."""

_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection closed",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
}
_NAME_WORDS: Final = {
    socket.EAI_NONAME: "no such host",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "no such host",
    socket.EAI_AGAIN: "no such host (no name server answers for it)",
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
    host: str,
    port: int,
    *,
    limit: int,
    admits: Callable[[socket.socket], None] = lambda _: None,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The same as streams.

    Args:
        host: to connect to.
        port: of it.
        limit: bounds one line in bytes.
        admits: raises `NotReadyError` where nothing is to be said to who is at the other end.
    """
    connection = await open_socket(host, port)
    try:
        admits(connection)
        return await asyncio.open_connection(sock=connection, limit=limit)
    except BaseException:
        connection.close()
        raise


@contextlib.asynccontextmanager
async def open_conversation(
    question: Question, *, limit: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Streams to the port that is asked, let go at the end; ``limit`` bounds one line in bytes.

    Raises:
        NotReadyError: nobody accepts, a stranger does who would be told a password, or the other side fell silent in
            the middle of it.
    """
    host, port = question.host, question.port
    reader, writer = await open_streams(
        host, port, limit=limit, admits=lambda connection: require_confidant(connection, question)
    )
    try:
        yield reader, writer
    except asyncio.IncompleteReadError as error:
        how = "in the middle of an answer" if error.partial else "without an answer"
        raise NotReadyError(f"{host}:{port} closed the connection {how}") from error
    except asyncio.LimitOverrunError as error:
        raise NotReadyError(
            f"{host}:{port} sent {error.consumed} bytes without a line end"
        ) from error
    except OSError as error:
        raise NotReadyError(describe_failure(error, host, port)) from error
    finally:
        await close_stream(writer)


def describe_stranger(protocol: str, port: int, said: bytes) -> str:
    """What to say of somebody who speaks another protocol, given the beginning of what came."""
    return f"not {protocol}: port {port} answered {said[:SHOWN_BYTES].decode('latin-1')!a}"


async def close_stream(writer: asyncio.StreamWriter) -> None:
    """Let go of a connection without waiting for the other side."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def describe_failure(error: OSError, host: str, port: int) -> str:
    """Why a connection did not work, in words and with its address."""
    if isinstance(error, socket.gaierror):
        # Its numbers are those of the resolver, and mean something else as the system's.
        words = _NAME_WORDS.get(error.errno or 0) or str(error.strerror).lower()
    else:
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
