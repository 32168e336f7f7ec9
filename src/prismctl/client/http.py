"""HTTP/1.1 as the daemon speaks it: requests, answers, streams of lines, and errors as words of our tree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import ExitCode, PrismError, RejectedError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from typing import BinaryIO

FIRST_ERROR_STATUS: Final = 400


class NotFoundError(RejectedError):
    """There is no such thing in the stack as it is."""

    code = "not-found"


def send(connection: socket.socket, method: str, target: str, body: dict[str, Any] | None) -> None:
    """Ask; one request a connection."""
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    connection.sendall(head.encode() + b"\r\n" + data)


def read_answer(reader: BinaryIO) -> bytes:
    """The body of a plain answer.

    Raises:
        PrismError: it is a refusal.
        ConnectionResetError: it was cut.
    """
    status, headers = read_head(reader)
    body = read_body(reader, headers)
    if status >= FIRST_ERROR_STATUS:
        raise decode_refusal(status, body)
    return body


def read_head(reader: BinaryIO) -> tuple[int, dict[str, str]]:
    """The status and the headers, their names in lower case.

    Raises:
        ConnectionResetError: it was cut.
    """
    words = reader.readline().split()
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - the protocol and the status
        raise ConnectionResetError("it hung up")
    headers: dict[str, str] = {}
    for line in iter(reader.readline, b"\r\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise ConnectionResetError("it hung up")
        headers[name.lower()] = value.strip()
    return int(words[1]), headers


def read_body(reader: BinaryIO, headers: dict[str, str]) -> bytes:
    """The body that the headers announce.

    Raises:
        ConnectionResetError: it was cut.
    """
    if headers.get("transfer-encoding") == "chunked":
        return b"".join(read_chunks(reader))
    wanted = int(headers.get("content-length", "0"))
    body = reader.read(wanted)
    if len(body) != wanted:
        raise ConnectionResetError("it hung up")
    return body


def read_chunks(reader: BinaryIO) -> Iterator[bytes]:
    """The chunks of a stream, each a number of whole lines; a stream that is cut ends without its end."""
    while size := int(reader.readline() or b"0", 16):
        chunk = reader.read(size)
        if len(chunk) != size:
            return
        reader.readline()
        yield chunk


def decode_refusal(status: int, body: bytes) -> PrismError:
    """The error that a refusal stands for."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return RejectedError(f"the daemon refused with status {status}")
    return as_error(error, ExitCode.REJECTED)


def as_error(error: dict[str, Any], otherwise: ExitCode) -> PrismError:
    """The error of our tree that the daemon's words stand for."""
    import prismctl.errors as tree

    kinds: list[type[PrismError]] = [
        PrismError,
        tree.MissingToolError,
        tree.UnavailableError,
        tree.RejectedError,
        NotFoundError,
        tree.DeadlineError,
        tree.PartialError,
    ]
    fallback = RejectedError if otherwise is ExitCode.REJECTED else PrismError
    kind = next((kind for kind in kinds if kind.code == error.get("code")), fallback)
    return kind(str(error.get("message")), hint=str(error.get("hint") or ""))
