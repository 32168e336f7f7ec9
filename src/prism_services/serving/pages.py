"""A very small HTTP/1.1 server: GET and HEAD of a few fixed paths, for health checks and scrapers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prism_services.serving.ports import bound_port, listening_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Page = Callable[[], "Answer"]

LARGEST_HEAD: Final = 8192
"""Bytes of request line and headers that are read before the client is turned away."""
PATIENCE_SECONDS: Final = 5.0
"""How long a client may take to send its request or to read the answer."""
MOST_CLIENTS: Final = 64
"""Connections served at a time; more are closed unanswered."""
REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page says."""

    status: int
    body: str
    content_type: str = TEXT


class PageServer:
    """Serves pages on one port until it is closed."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = dict(pages)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._conversations: set[asyncio.Task[None]] = set()
        self.port = 0
        """The port it listens on, once open."""

    async def open(self, host: str, port: int, *, flag: str) -> None:
        """Listen; ``flag`` is what set the port, for the error when it is taken."""
        listener = listening_socket(host, port, flag=flag)
        self.port = bound_port(listener)
        self._server = await asyncio.start_server(self._welcome, sock=listener, limit=LARGEST_HEAD)

    async def close(self) -> None:
        """Stop listening and drop whoever is still connected; nothing of it is left to the end of the loop."""
        if self._server:
            self._server.close()
        for writer in self._clients:
            writer.transport.abort()
        if self._conversations:
            await asyncio.wait(self._conversations)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Of a coroutine of its own, asyncio would print a traceback when it is cancelled.
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(writer)
        try:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._answer(reader, writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            method, answer = "GET", _plain(431)
        else:
            method, answer = self._respond(head)
        body = answer.body.encode()
        writer.write(_head_of(answer, len(body)) + (b"" if method == "HEAD" else body))
        await writer.drain()

    def _respond(self, head: bytes) -> tuple[str, Answer]:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
            return "GET", _plain(400)
        method, target, _ = words
        if method not in {"GET", "HEAD"}:
            return method, _plain(405)
        page = self._pages.get(target.split("?", 1)[0])
        return method, page() if page else _plain(404)


def _plain(status: int) -> Answer:
    return Answer(status=status, body=f"{REASONS[status]}\n")


def _head_of(answer: Answer, length: int) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if answer.status == 405 else ""  # noqa: PLR2004 - see REASONS
    return (
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {length}\r\n"
        f"{allow}Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    ).encode("latin-1")
