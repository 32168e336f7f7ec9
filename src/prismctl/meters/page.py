"""Pages of counters over HTTP/1.1, on a connection that is used again where the server lets one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.meters.line import Line
from prismctl.probes.connect import describe_stranger
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import asyncio

    from prismctl.probes.question import Question

MAX_PAGE_BYTES: Final = 1024 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
_OK: Final = b"200"


class PageReader:
    """Asks one server for pages, one after the other."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._line = Line(question, limit=MAX_HEAD_BYTES)

    async def read(self, path: str) -> str:
        """The page at a path.

        Raises:
            NotReadyError: there is none, or it is no HTTP.
        """
        address = f"{self._question.host}:{self._question.port}"
        async with self._line.conversation() as (reader, writer):
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: prismctl\r\nAccept: */*\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            status, headers = parse_head(head, self._question.port)
            if status != _OK:
                raise NotReadyError(f"HTTP {status.decode('latin-1')} from {address}{path}")
            body = await _read_body(reader, headers, self._question.port)
        if headers.get(b"connection", b"").lower() == b"close" or not _has_end(headers):
            self._line.close()
        return body.decode(errors="replace")

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def parse_head(head: bytes, port: int) -> tuple[bytes, dict[bytes, bytes]]:
    """Status and headers, these by their names in lower case.

    Raises:
        NotReadyError: it is no HTTP.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1."):  # noqa: PLR2004 - version and status
        raise NotReadyError(describe_stranger("HTTP", port, head))
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    return words[1], headers


def _has_end(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers or _is_chunked(headers)


def _is_chunked(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"transfer-encoding", b"").lower() == b"chunked"


async def _read_body(reader: asyncio.StreamReader, headers: dict[bytes, bytes], port: int) -> bytes:
    if _is_chunked(headers):
        return await _read_chunks(reader, port)
    if b"content-length" in headers:
        return await reader.readexactly(_parse_size(headers[b"content-length"], 10, port))
    body = await reader.read(MAX_PAGE_BYTES)
    while part := await reader.read(MAX_PAGE_BYTES):
        body += part
        _parse_size(b"%d" % len(body), 10, port)
    return body


async def _read_chunks(reader: asyncio.StreamReader, port: int) -> bytes:
    body = b""
    while size := _parse_size((await reader.readuntil(b"\r\n")).split(b";")[0], 16, port):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        _parse_size(b"%d" % len(body), 10, port)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


def _parse_size(text: bytes, base: int, port: int) -> int:
    try:
        size = int(text, base)
    except ValueError as error:
        raise NotReadyError(describe_stranger("HTTP", port, text)) from error
    if not 0 <= size <= MAX_PAGE_BYTES:
        raise NotReadyError(f"a page of {size} bytes at port {port} is too long")
    return size
