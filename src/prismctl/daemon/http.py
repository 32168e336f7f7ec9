"""HTTP/1.1, as much of it as the daemon's API and its page need: what is asked, what is answered, and both on the wire.

Written here because it is what the daemon starts with: the server of an HTTP framework takes four times as
long to import as everything else the daemon does before it listens, and a third of its memory.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from prismctl.errors import ExitCode, PrismError, RejectedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

MAX_LINE_BYTES: Final = 64 * 1024
"""Who follows the logs of hundreds of instances names the place in each."""
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 2 * MAX_LINE_BYTES
"""Of the first line and all headers together: it is read before anybody knows who asks."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
MAX_QUERY_FIELDS: Final = 1000

_REASONS: Final = {
    200: "OK",
    303: "See Other",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
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
_SINGLE_HEADERS: Final = frozenset({"host", "origin", "content-length", "content-type", "cookie"})
"""Said twice, two readers could take different ones for true."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked."""

    method: str
    path: str
    """Decoded: `..` and slashes may have been written in any way."""
    query: dict[str, list[str]]
    body: bytes
    target: str = ""
    """What stood in the first line, as it was written."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""

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
        except (ValueError, RecursionError) as error:
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
class Content:
    """Something that is no JSON document: a page, a text for a program that reads no JSON."""

    body: bytes
    kind: str
    """Its media type."""
    status: int = 200
    headers: Headers = ()


def render_ndjson(document: dict[str, Any]) -> bytes:
    """One document of a stream: a line."""
    return json.dumps(document).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Documents as they come, one JSON object a line unless it says otherwise."""

    documents: AsyncIterator[Any]
    kind: str = "application/x-ndjson"
    render: Callable[[Any], bytes] = render_ndjson
    """Of one of the documents, which may as well be several lines at once."""


Reply = Answer | Content | Stream


class RequestError(RejectedError):
    """The request cannot be answered; ``status`` is HTTP's word for why."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


async def read_request(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> tuple[Request, bool]:
    """The next request, and whether the client wants to ask more.

    Raises:
        RequestError: it is none, or larger than anything that is asked here.
        asyncio.IncompleteReadError: the client hung up.
    """
    first = await _read_line(reader)
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
        raise RequestError(400, "this is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    head_bytes = len(first)
    for _ in range(MAX_HEADERS):
        line = await _read_line(reader)
        if not line:
            break
        head_bytes += len(line)
        if head_bytes > MAX_HEAD_BYTES:
            raise RequestError(431, f"a head of more than {MAX_HEAD_BYTES} bytes")
        name, _, value = line.partition(":")
        name = name.lower()
        if name in _SINGLE_HEADERS and name in headers:
            raise RequestError(400, f"two headers `{name}`")
        headers[name] = value.strip()
    else:
        raise RequestError(431, f"more than {MAX_HEADERS} headers")
    body = await _read_body(reader, writer, headers, max_body_bytes)
    try:
        target = urlsplit(words[1])
        query = parse_qs(target.query, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise RequestError(400, f"this is not an address: {error}") from error
    request = Request(
        method=words[0],
        path=unquote(target.path),
        query=query,
        body=body,
        target=words[1],
        headers=headers,
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
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    headers: dict[str, str],
    max_bytes: int,
) -> bytes:
    if "transfer-encoding" in headers:
        raise RequestError(411, "a body needs a Content-Length here")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise RequestError(400, f"impossible Content-Length `{length}`")
    # A number of a thousand digits is not even looked at.
    if len(length) > len(str(MAX_BODY_BYTES)) or int(length) > max_bytes:
        raise RequestError(413, f"a body of more than {max_bytes} bytes")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(int(length))


def render_refusal(error: PrismError) -> Answer:
    """What is answered in place of what was asked for."""
    if isinstance(error, RequestError):
        status = error.status
    else:
        status = _STATUS_BY_EXIT.get(error.exit_code, 500)
    code = error.code if status != 404 else "not-found"  # noqa: PLR2004 - HTTP's number
    return Answer(document={"error": render_error(error, code)}, status=status)


def render_error(error: PrismError, code: str = "") -> dict[str, str]:
    """An error as it crosses the socket."""
    return {"code": code or error.code, "message": error.message, "hint": error.hint}


def render_content(answer: Answer | Content) -> Content:
    """The bytes of an answer."""
    if isinstance(answer, Content):
        return answer
    body = json.dumps(answer.document).encode() + b"\n"
    return Content(body=body, kind="application/json", status=answer.status)


def render_head(
    status: int, kind: str, length: str, headers: Headers = (), *, is_kept: bool
) -> bytes:
    """What goes before the bytes; ``length`` is the header that says where they end."""
    stays = "keep-alive" if is_kept else "close"
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\nContent-Type: {kind}\r\n{length}\r\n"
        f"Cache-Control: no-store\r\n{more}Connection: {stays}\r\n\r\n"
    ).encode("latin-1")
