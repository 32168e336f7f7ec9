"""Ready when the standard gRPC health service says SERVING.

The one call is spoken here directly: an HTTP/2 connection of which we send three frames and read a few. A
gRPC runtime would cost the daemon a third of its memory, an HTTP/2 library a seventh of a second of import in
the middle of a start. Only an answer without a message, which is how a refusal looks, needs header
decompression to be told in words, and loads it then.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.probes.connect import close_stream, describe_failure, open_streams
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from prismctl.probes.question import Question

HEALTH_METHOD: Final = "/grpc.health.v1.Health/Check"
MAX_FRAME_BYTES: Final = 16 * 1024
"""The protocol's default; a frame that claims more is an error there as well."""
MAX_FRAMES: Final = 64
"""More than that before an answer is not a health service."""

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_ACK, _END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_STREAM: Final = 1
_PREFIX_BYTES: Final = 5
"""A message is preceded by a compression flag and its length."""

_SERVING_STATUS: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_GRPC_STATUS: Final = {
    "1": "CANCELLED",
    "2": "UNKNOWN",
    "3": "INVALID_ARGUMENT",
    "4": "DEADLINE_EXCEEDED",
    "5": "NOT_FOUND",
    "7": "PERMISSION_DENIED",
    "8": "RESOURCE_EXHAUSTED",
    "12": "UNIMPLEMENTED",
    "13": "INTERNAL",
    "14": "UNAVAILABLE",
    "16": "UNAUTHENTICATED",
}


class Frame(NamedTuple):
    """One HTTP/2 frame."""

    type: int
    flags: int
    stream: int
    payload: bytes


async def probe_grpc(question: Question) -> None:
    """Call ``Health/Check`` for the server as a whole.

    Raises:
        NotReadyError: another state, no health service, another protocol, or no answer.
    """
    host, port = question.host, question.port
    reader, writer = await open_streams(host, port, limit=2 * MAX_FRAME_BYTES)
    try:
        writer.write(_render_call(f"{host}:{port}", question.timeout_seconds))
        message, headers = await _read_answer(reader, writer, port)
        if message is None:
            raise NotReadyError(_describe_refusal(headers, port))
        status = decode_status(message)
        if status != "SERVING":
            raise NotReadyError(f"gRPC {status} from port {port}")
    except asyncio.IncompleteReadError as error:
        raise NotReadyError(f"not gRPC: port {port} closed the connection") from error
    except OSError as error:
        raise NotReadyError(describe_failure(error, host, port)) from error
    finally:
        await close_stream(writer)


def decode_status(message: bytes) -> str:
    """The serving status in a length-prefixed ``HealthCheckResponse``.

    Raises:
        NotReadyError: it is compressed or no such message.
    """
    if len(message) < _PREFIX_BYTES or message[0] != 0:
        raise NotReadyError("not gRPC: the answer is no plain message")
    body = message[_PREFIX_BYTES : _PREFIX_BYTES + int.from_bytes(message[1:_PREFIX_BYTES], "big")]
    if not body:
        return _SERVING_STATUS[0]
    if len(body) < 2 or body[0] != 0x08:  # noqa: PLR2004 - field 1 as a number, and the number
        raise NotReadyError("not gRPC health: the answer is another message")
    return _SERVING_STATUS.get(body[1], str(body[1]))


def _render_call(authority: str, timeout_seconds: float) -> bytes:
    headers = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", HEALTH_METHOD.encode()),
        (b":authority", authority.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-timeout", b"%dm" % max(1, int(timeout_seconds * 1000))),
        (b"user-agent", b"prismctl"),
    )
    block = b"".join(_render_header(name, value) for name, value in headers)
    return (
        _PREFACE
        + _render_frame(_SETTINGS, 0, 0, b"")
        + _render_frame(_HEADERS, _END_HEADERS, _STREAM, block)
        + _render_frame(_DATA, _END_STREAM, _STREAM, bytes(5))
    )


def _render_header(name: bytes, value: bytes) -> bytes:
    """A literal field that is not indexed (RFC 7541, 6.2.2); all lengths here are below 127."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _render_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


async def _read_frame(reader: asyncio.StreamReader, port: int) -> Frame:
    head = await reader.readexactly(9)
    if head[:5] == b"HTTP/":
        raise NotReadyError(f"not gRPC: port {port} speaks HTTP/1")
    length = int.from_bytes(head[:3], "big")
    if length > MAX_FRAME_BYTES:
        raise NotReadyError(f"not gRPC: port {port} answered {head.decode('latin-1')!a}")
    stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
    return Frame(head[3], head[4], stream, await reader.readexactly(length))


class _Answer:
    """What came on our stream so far."""

    def __init__(self) -> None:
        self.headers: list[bytes] = []
        self.is_over = False
        self._data = b""

    @property
    def message(self) -> bytes | None:
        """The first message, once it is there completely."""
        if len(self._data) < _PREFIX_BYTES:
            return None
        length = int.from_bytes(self._data[1:_PREFIX_BYTES], "big")
        return self._data if len(self._data) >= _PREFIX_BYTES + length else None

    def take(self, frame: Frame) -> None:
        """Add what one frame brings."""
        if frame.type == _DATA:
            self._data += _strip_padding(frame)
        elif frame.type == _HEADERS:
            block = _strip_padding(frame)
            self.headers.append(block[5:] if frame.flags & _PRIORITY else block)
        elif frame.type == _CONTINUATION and self.headers:
            self.headers[-1] += frame.payload
        if frame.type in {_DATA, _HEADERS} and frame.flags & _END_STREAM:
            self.is_over = True


async def _read_answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> tuple[bytes | None, list[bytes]]:
    """The message, or ``None`` and the header blocks that came instead of it."""
    answer = _Answer()
    for count in range(MAX_FRAMES):
        frame = await _read_frame(reader, port)
        if count == 0 and frame.type != _SETTINGS:
            raise NotReadyError(f"not gRPC: port {port} does not speak HTTP/2")
        if frame.stream == _STREAM:
            if frame.type == _RST_STREAM:
                raise NotReadyError(f"gRPC call refused by port {port}")
            answer.take(frame)
        elif frame.stream == 0:
            _answer_control(frame, writer, port)
        if answer.is_over or answer.message is not None:
            return answer.message, answer.headers
    raise NotReadyError(f"not gRPC: port {port} talks without answering")


def _answer_control(frame: Frame, writer: asyncio.StreamWriter, port: int) -> None:
    if frame.type == _GOAWAY:
        raise NotReadyError(f"gRPC server at port {port} is going away")
    if frame.flags & _ACK:
        return
    if frame.type == _SETTINGS:
        writer.write(_render_frame(_SETTINGS, _ACK, 0, b""))
    elif frame.type == _PING:
        writer.write(_render_frame(_PING, _ACK, 0, frame.payload))


def _strip_padding(frame: Frame) -> bytes:
    if not frame.flags & _PADDED or not frame.payload:
        return frame.payload
    return frame.payload[1 : len(frame.payload) - frame.payload[0]]


def _describe_refusal(blocks: list[bytes], port: int) -> str:
    """What the headers of an answer without a message say."""
    import hpack

    decoder = hpack.Decoder()
    fields: dict[str, str] = {}
    try:
        for block in blocks:
            for name, value in decoder.decode(block):
                fields[str(name)] = str(value)
    except hpack.HPACKError:
        return f"not gRPC: port {port} sent headers that cannot be read"
    status = fields.get("grpc-status", "")
    if status == "12":
        return f"gRPC UNIMPLEMENTED: no health service at port {port}"
    if status:
        return f"gRPC {_GRPC_STATUS.get(status, status)} from port {port}"
    return f"not gRPC: HTTP {fields.get(':status', '?')} from port {port}"
