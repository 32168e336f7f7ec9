"""Ready when a GET is answered with a status below 400."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Final

from prismctl.domain.problems import shorten
from prismctl.probes.connect import close_stream, describe_failure, open_streams
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

MAX_LINE_BYTES: Final = 8 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
POLITENESS_SECONDS: Final = 0.05
"""How long the rest of the headers is listened to once the status is known, so that the server sees no reset."""

COMPLAINT_SECONDS: Final = 0.25
"""How long an error's body is listened to: most come with their headers, and a check has to end."""
MAX_COMPLAINT_BYTES: Final = 2 * 1024
MAX_COMPLAINT_LETTERS: Final = 120

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?\r?\n\Z")
_SHOWN_BYTES: Final = 24


async def probe_http(question: Question) -> None:
    """Ask for the path and read the status; what the body says matters only where the status is an error.

    Raises:
        NotReadyError: another status, with what the server says of it; another protocol, or no answer.
    """
    host, port = question.host, question.port
    reader, writer = await open_streams(host, port, limit=MAX_LINE_BYTES)
    try:
        writer.write(_render_request(question))
        line = await _read_status_line(reader, host, port)
        status = _decode_status(line, port)
        if status < 400:  # noqa: PLR2004 - where HTTP's errors begin
            await _hear_out(reader)
        else:
            said = await _read_complaint(reader)
            raise NotReadyError(
                f"HTTP {status} from {host}:{port}{question.path}{said and f': {said}'}"
            )
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


async def _hear_out(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(POLITENESS_SECONDS):
            await _skip_headers(reader)


async def _skip_headers(reader: asyncio.StreamReader) -> bool:
    """Whether what follows comes in chunks."""
    total, is_chunked = 0, False
    while total < MAX_HEAD_BYTES:
        line = await reader.readline()
        total += len(line)
        if line in {b"", b"\n", b"\r\n"}:
            break
        is_chunked |= line.lower().startswith(b"transfer-encoding:") and b"chunked" in line.lower()
    return is_chunked


async def _read_complaint(reader: asyncio.StreamReader) -> str:
    """The beginning of an error's body as one line; empty where it is a page for browsers or nothing to read."""
    body = b""
    with contextlib.suppress(OSError, ValueError, TimeoutError):
        async with asyncio.timeout(COMPLAINT_SECONDS):
            if await _skip_headers(reader):
                await reader.readline()  # how long the first chunk is
            while len(body) < MAX_COMPLAINT_BYTES and (more := await reader.read(1024)):
                body += more
    text = body.decode(errors="replace").strip()
    if text.startswith("<") or not all(letter.isprintable() or letter.isspace() for letter in text):
        return ""
    return shorten(text, MAX_COMPLAINT_LETTERS)
