"""Ready when a GET is answered with a status below 400."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final

from prismctl.probes.connect import close_stream, describe_failure, open_streams
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

MAX_LINE_BYTES: Final = 8 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
POLITENESS_SECONDS: Final = 0.05
"""How long the rest of the headers is listened to once the status is known, so that the server sees no reset."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?\r?\n\Z")
_SHOWN_BYTES: Final = 24


async def probe_http(question: Question) -> None:
    """Ask for the path and read the status; the body is nobody's business.

    Raises:
        NotReadyError: another status, another protocol, or no answer.
    """
    host, port = question.host, question.port
    reader, writer = await open_streams(host, port, limit=MAX_LINE_BYTES)
    try:
        writer.write(_render_request(question))
        line = await _read_status_line(reader, host, port)
        status = _decode_status(line, port)
        if status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise NotReadyError(f"HTTP {status} from {host}:{port}{question.path}")
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(POLITENESS_SECONDS):
                await _skip_headers(reader)
    except OSError as error:
        raise NotReadyError(describe_failure(error, host, port)) from error
    finally:
        await close_stream(writer)


def _render_request(question: Question) -> bytes:
    path = question.path if question.path.startswith("/") else f"/{question.path}"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {question.host}:{question.port}\r\n"
        "User-Agent: prismctl\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode()


async def _read_status_line(reader: asyncio.StreamReader, host: str, port: int) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise NotReadyError(f"{host}:{port} closed the connection without an answer") from error
        line = error.partial
    except asyncio.LimitOverrunError as error:
        raise NotReadyError(
            f"not HTTP: {host}:{port} sent {error.consumed} bytes without a line end"
        ) from error
    return line


def _decode_status(line: bytes, port: int) -> int:
    match = _STATUS_LINE.match(line)
    if match is None:
        shown = ascii(line[:_SHOWN_BYTES].decode("latin-1"))
        raise NotReadyError(f"not HTTP: port {port} answered {shown}")
    return int(match[1])


async def _skip_headers(reader: asyncio.StreamReader) -> None:
    total = 0
    while total < MAX_HEAD_BYTES:
        line = await reader.readline()
        total += len(line)
        if line in {b"", b"\n", b"\r\n"}:
            return
