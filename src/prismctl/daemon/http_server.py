"""Serves HTTP on sockets that listen: one loop for the unix socket and for the page, each with bounds of its own.

A client costs a connection and nothing else: one that is slow, silent or gone is waited for on its own, and where
all connections are in use, the one that has been silent for longest gives way to who comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.daemon.http import (
    MAX_BODY_BYTES,
    MAX_LINE_BYTES,
    RequestError,
    Stream,
    read_request,
    render_content,
    render_head,
    render_refusal,
)
from prismctl.errors import PrismError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from prismctl.daemon.http import Answer, Content, Headers, Reply, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server spends on its clients."""

    connections: int = 128
    request_seconds: float = 30.0
    """How long a request may take to arrive, and a connection may stay without one."""
    body_bytes: int = MAX_BODY_BYTES
    unread_bytes: int = 256 * 1024
    """What a slow client may leave unread before its stream waits for it."""
    stall_seconds: float | None = None
    """How long it is waited for then, before it is hung up on; ``None``: for ever."""
    keeps_connections: bool = True
    """Whether a client may ask again on the same connection."""


DEFAULT_LIMITS: Final = Limits()


class HttpServer:
    """Answers requests with what ``handle`` makes of them."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Reply]],
        *,
        admits: Callable[[asyncio.StreamWriter], bool] = lambda _: True,
        limits: Limits = DEFAULT_LIMITS,
        headers: Headers = (),
        on_connect: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Make one that does not listen yet.

        Args:
            handle: answers.
            admits: whether whoever connected may ask at all.
            limits: what is spent on clients.
            headers: go with every answer, refusals included.
            on_connect: called for each connection.
            on_end: called when it has ended.
        """
        self._handle = handle
        self._admits = admits
        self._limits = limits
        self._headers = headers
        self._on_connect = on_connect
        self._on_end = on_end
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        """Those that have not asked yet, the one that came first first."""

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def serve(self, listening: socket.socket) -> None:
        """Begin to accept; what connected before is answered now. May be called for several sockets."""
        # The kind of the socket plays no part: it is bound already.
        self._servers.append(
            await asyncio.start_server(self._accept, sock=listening, limit=MAX_LINE_BYTES)
        )

    def stop_listening(self) -> None:
        """Accept no more; what is connected is served on."""
        for server in self._servers:
            server.close()

    async def close(self, *, grace_seconds: float) -> None:
        """Accept no more, let the present answers end, and cut those that do not."""
        self.stop_listening()
        if self._connections:
            await asyncio.wait(self._connections, timeout=grace_seconds)
        for connection in list(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or not self._admits(writer) or not self._make_room():
            writer.transport.abort()
            return
        self._connections.add(task)
        self._on_connect()
        writer.transport.set_write_buffer_limits(high=self._limits.unread_bytes)
        try:
            # A client that hangs up is no event here.
            with contextlib.suppress(OSError, TimeoutError):
                while await self._serve_one(reader, writer, task):
                    pass
        except asyncio.CancelledError:
            # The server ends: a task that was started by the stream machinery reports no cancellation.
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            self._on_end()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _make_room(self) -> bool:
        """Whether one more can be served: who has been silent for longest is hung up on, where there are too many."""
        if len(self._connections) < self._limits.connections:
            return True
        task = next(iter(self._silent), None)
        if task is None:
            return False
        self._silent.pop(task).transport.abort()
        self._connections.discard(task)
        return True

    async def _serve_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: asyncio.Task[None],
    ) -> bool:
        """Answer one request; whether the connection stays."""
        self._silent[task] = writer
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                request, is_kept = await read_request(
                    reader, writer, max_body_bytes=self._limits.body_bytes
                )
        except asyncio.IncompleteReadError:
            return False
        except RequestError as error:
            await self._send(writer, render_refusal(error), is_kept=False)
            return False
        finally:
            self._silent.pop(task, None)
        try:
            reply = await self._handle(request)
        except PrismError as error:
            reply = render_refusal(error)
        except Exception as error:  # noqa: BLE001 - the boundary: a bug in one answer must not end the others
            sys.excepthook(type(error), error, error.__traceback__)
            reply = render_refusal(RequestError(500, f"the daemon failed: {error!r}"))
        if isinstance(reply, Stream):
            await self._send_stream(reader, writer, reply)
            return False
        is_kept = is_kept and self._limits.keeps_connections
        await self._send(writer, reply, is_kept=is_kept)
        return is_kept

    async def _send(
        self, writer: asyncio.StreamWriter, answer: Answer | Content, *, is_kept: bool
    ) -> None:
        content = render_content(answer)
        length = f"Content-Length: {len(content.body)}"
        headers = (*self._headers, *content.headers)
        head = render_head(content.status, content.kind, length, headers, is_kept=is_kept)
        writer.write(head + content.body)
        await self._drain(writer)

    async def _drain(self, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._limits.stall_seconds):
            await writer.drain()

    async def _send_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
    ) -> None:
        """Send until the stream ends or the client hangs up, whichever comes first."""
        length = "Transfer-Encoding: chunked"
        writer.write(render_head(200, stream.kind, length, self._headers, is_kept=False))
        sending = asyncio.ensure_future(self._send_documents(writer, stream))
        listening = asyncio.ensure_future(_wait_for_hang_up(reader))
        try:
            await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, listening):
                task.cancel()
            results = await asyncio.gather(sending, listening, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_documents(self, writer: asyncio.StreamWriter, stream: Stream) -> None:
        async for document in stream.documents:
            piece = stream.render(document)
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await self._drain(writer)
        writer.write(b"0\r\n\r\n")
        await self._drain(writer)


async def _wait_for_hang_up(reader: asyncio.StreamReader) -> None:
    while await reader.read(MAX_LINE_BYTES):
        pass
