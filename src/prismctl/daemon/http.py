"""HTTP/1.1 on a unix socket, as much of it as the API needs.

Written here because it is what the daemon starts with: the server of an HTTP framework takes four times as
long to import as everything else the daemon does before it listens, and a third of its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from prismctl.errors import ExitCode, PrismError, RejectedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

MAX_LINE_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
MAX_CONNECTIONS: Final = 128
REQUEST_SECONDS: Final = 30.0
"""How long a request may take to arrive, and a connection may stay without one."""
WRITE_BUFFER_BYTES: Final = 256 * 1024
"""What a slow client may leave unread before its stream waits for it."""

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_STATUS_BY_EXIT: Final = {
    ExitCode.INVALID: 400,
    ExitCode.REJECTED: 409,
    ExitCode.UNAVAILABLE: 503,
    ExitCode.MISSING_TOOL: 409,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        return self.query.get(name, [default])[-1]

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty one.

        Raises:
            RequestError: it is something else.
        """
        try:
            document = json.loads(self.body or b"{}")
        except ValueError as error:
            raise RequestError(400, f"the body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise RequestError(400, "the body is not a JSON object")
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One document."""

    document: dict[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Documents as they come, one JSON object a line."""

    documents: AsyncIterator[dict[str, Any]]


class RequestError(RejectedError):
    """The request cannot be answered; ``status`` is HTTP's word for why."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class HttpServer:
    """Answers requests with what ``handle`` makes of them, for processes of the same user only."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Answer | Stream]],
        *,
        on_connect: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._on_connect = on_connect
        self._on_end = on_end
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def serve(self, listening: socket.socket) -> None:
        """Begin to accept; what connected before is answered now."""
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listening, limit=MAX_LINE_BYTES
        )

    def stop_listening(self) -> None:
        """Accept no more; what is connected is served on."""
        if self._server is not None:
            self._server.close()

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
        if task is None or len(self._connections) >= MAX_CONNECTIONS or not is_own_user(writer):
            writer.transport.abort()
            return
        self._connections.add(task)
        self._on_connect()
        writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        try:
            # A client that hangs up is no event here.
            with contextlib.suppress(OSError, TimeoutError):
                while await self._serve_one(reader, writer):
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

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request, is_kept = await _read_request(reader, writer)
        except asyncio.IncompleteReadError:
            return False
        except RequestError as error:
            await _send(writer, _refusal(error), is_kept=False)
            return False
        try:
            answer = await self._handle(request)
        except PrismError as error:
            answer = _refusal(error)
        except Exception as error:  # noqa: BLE001 - the boundary: a bug in one answer must not end the others
            sys.excepthook(type(error), error, error.__traceback__)
            answer = _refusal(RequestError(500, f"the daemon failed: {error!r}"))
        if isinstance(answer, Answer):
            await _send(writer, answer, is_kept=is_kept)
            return is_kept
        await _send_stream(reader, writer, answer)
        return False


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
        listening.listen(MAX_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise PrismError(f"cannot listen at {path}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[Request, bool]:
    words = (await _read_line(reader)).split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
        raise RequestError(400, "this is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = await _read_line(reader)
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    else:
        raise RequestError(431, f"more than {MAX_HEADERS} headers")
    body = await _read_body(reader, writer, headers)
    target = urlsplit(words[1])
    request = Request(
        method=words[0], path=unquote(target.path), query=parse_qs(target.query), body=body
    )
    wish = headers.get("connection", "").lower()
    return request, wish != "close" if words[2] != "HTTP/1.0" else wish == "keep-alive"


async def _read_line(reader: asyncio.StreamReader) -> str:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise RequestError(431, f"a line of more than {MAX_LINE_BYTES} bytes") from error
    return line.rstrip(b"\r\n").decode("latin-1")


async def _read_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
) -> bytes:
    if "transfer-encoding" in headers:
        raise RequestError(411, "a body needs a Content-Length here")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise RequestError(400, f"impossible Content-Length `{length}`")
    if int(length) > MAX_BODY_BYTES:
        raise RequestError(413, f"a body of more than {MAX_BODY_BYTES} bytes")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(int(length))


def _refusal(error: PrismError) -> Answer:
    if isinstance(error, RequestError):
        status = error.status
    else:
        status = _STATUS_BY_EXIT.get(error.exit_code, 500)
    code = error.code if status != 404 else "not-found"  # noqa: PLR2004 - HTTP's number
    return Answer(document={"error": render_error(error, code)}, status=status)


def render_error(error: PrismError, code: str = "") -> dict[str, str]:
    """An error as it crosses the socket."""
    return {"code": code or error.code, "message": error.message, "hint": error.hint}


async def _send(writer: asyncio.StreamWriter, answer: Answer, *, is_kept: bool) -> None:
    body = json.dumps(answer.document).encode() + b"\n"
    writer.write(
        _render_head(
            answer.status, "application/json", f"Content-Length: {len(body)}", is_kept=is_kept
        )
        + body
    )
    await writer.drain()


async def _send_stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
) -> None:
    """Send until the stream ends or the client hangs up, whichever comes first."""
    head = _render_head(200, "application/x-ndjson", "Transfer-Encoding: chunked", is_kept=False)
    sending = asyncio.ensure_future(_send_documents(writer, head, stream))
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


async def _send_documents(writer: asyncio.StreamWriter, head: bytes, stream: Stream) -> None:
    writer.write(head)
    async for document in stream.documents:
        line = json.dumps(document).encode() + b"\n"
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _wait_for_hang_up(reader: asyncio.StreamReader) -> None:
    while await reader.read(MAX_LINE_BYTES):
        pass


def _render_head(status: int, kind: str, length: str, *, is_kept: bool) -> bytes:
    stays = "keep-alive" if is_kept else "close"
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\nContent-Type: {kind}\r\n{length}\r\n"
        f"Cache-Control: no-store\r\nConnection: {stays}\r\n\r\n"
    ).encode()
