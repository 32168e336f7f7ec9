"""The standard ``grpc.health.v1.Health`` service, answered without protobuf.

Protobuf and the generated health code take as long to import as the rest of gRPC, and they would be on
the path from exec to the first SERVING. The messages are two fields; a test compares every byte with what
the generated code makes of it.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import grpc

from prism_services.serving.refusal import Refusal, RefusalCode, invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

SERVICE: Final = "grpc.health.v1.Health"
SERVICE_FIELD: Final = 0x0A
"""Tag of field 1, a string: ``HealthCheckRequest.service`` and ``HealthListResponse.statuses``."""
STATUS_FIELD: Final = 0x08
"""Tag of field 1, an enum: ``HealthCheckResponse.status``."""
VALUE_FIELD: Final = 0x12
"""Tag of field 2, a message: the value of a map entry."""
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MOST_VARINT_BYTES: Final = 10


class Status(IntEnum):
    """``HealthCheckResponse.ServingStatus``."""

    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


class Health(grpc.GenericRpcHandler):
    """Answers for the whole server (the empty name) and for each of its services."""

    def __init__(self, services: Iterable[str] = ()) -> None:
        self._services = frozenset(("", SERVICE, *services))
        self._status = Status.NOT_SERVING
        self._ending = False
        self._changed = asyncio.Event()
        self._handlers: dict[str, Any] = {
            f"/{SERVICE}/Check": grpc.unary_unary_rpc_method_handler(self._check),
            f"/{SERVICE}/List": grpc.unary_unary_rpc_method_handler(self._list),
            f"/{SERVICE}/Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }

    @property
    def serving(self) -> bool:
        """Whether the server takes requests."""
        return self._status is Status.SERVING

    def set_serving(self) -> None:
        """Say SERVING from now on."""
        self._become(Status.SERVING)

    def set_ending(self) -> None:
        """Say NOT_SERVING for good, and end every watch once it has heard so."""
        self._ending = True
        self._become(Status.NOT_SERVING)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Find the handler of one of its methods."""
        return self._handlers.get(handler_call_details.method)

    def _become(self, status: Status) -> None:
        self._status = status
        self._changed.set()
        self._changed = asyncio.Event()

    def _status_of(self, service: str) -> Status:
        return self._status if service in self._services else Status.SERVICE_UNKNOWN

    async def _check(self, request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        service = requested_service(request)
        status = self._status_of(service)
        if status is Status.SERVICE_UNKNOWN:
            raise Refusal(RefusalCode.NOT_FOUND, f"unknown service {service[:200]!r}")
        return response(status)

    async def _list(self, _: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return b"".join(list_entry(name, self._status) for name in sorted(self._services))

    async def _watch(
        self, request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        service = requested_service(request)
        said: Status | None = None
        while True:
            changed, status = self._changed, self._status_of(service)
            if status is not said:
                yield response(status)
                said = status
            elif self._ending:
                return
            else:
                await changed.wait()


def response(status: Status) -> bytes:
    """``HealthCheckResponse`` as bytes."""
    return bytes((STATUS_FIELD, status))


def list_entry(service: str, status: Status) -> bytes:
    """One entry of ``HealthListResponse.statuses`` as bytes."""
    value = response(status)
    name = service.encode()
    entry = bytes((SERVICE_FIELD, len(name))) + name + bytes((VALUE_FIELD, len(value))) + value
    return bytes((SERVICE_FIELD, len(entry))) + entry


def requested_service(request: bytes) -> str:
    """``HealthCheckRequest.service``; the last one counts, fields that are not known are skipped."""
    service, place = b"", 0
    while place < len(request):
        tag, place = _varint(request, place)
        kind = tag & 7
        if kind == VARINT:
            _, place = _varint(request, place)
            continue
        if kind == LENGTH:
            length, place = _varint(request, place)
        elif kind in {FIXED64, FIXED32}:
            length = 8 if kind == FIXED64 else 4
        else:
            raise _malformed()
        if place + length > len(request):
            raise _malformed()
        if tag == SERVICE_FIELD:
            service = request[place : place + length]
        place += length
    try:
        return service.decode()
    except UnicodeDecodeError as error:
        raise _malformed() from error


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[place : place + MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the high bit says that more follows
            return value, place + index + 1
    raise _malformed()


def _malformed() -> Refusal:
    return invalid("the request is not a grpc.health.v1.HealthCheckRequest")
