"""Ready when Kafka names a broker and knows a controller: from then on topics can be made and written to."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from prismctl.probes.connect import describe_stranger, open_conversation
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    import asyncio

    from prismctl.probes.question import Question

MAX_ANSWER_BYTES: Final = 256 * 1024

_METADATA, _API_VERSIONS = 3, 18
_OLDEST, _NEWEST = 4, 8
"""Versions of Metadata whose answers begin alike; every broker since Kafka 0.11 knows one of them."""
_WITH_AUTHORIZATION: Final = 8
"""From here on a request also says whether it wants to know what it may do."""
_NAME: Final = b"prismctl"


async def probe_kafka(question: Question) -> None:
    """Ask which versions it speaks, and for the cluster without its topics.

    Raises:
        NotReadyError: nobody is named yet, it refuses, or it is no Kafka.
    """
    port = question.port
    async with open_conversation(question, limit=MAX_ANSWER_BYTES) as (reader, writer):
        writer.write(render_request(_API_VERSIONS, 0, b""))
        oldest, newest = _decode_range(await _read_answer(reader, _API_VERSIONS, port))
        version = min(_NEWEST, newest)
        if version < max(_OLDEST, oldest):
            raise NotReadyError(
                f"Kafka at port {port} speaks Metadata {oldest} to {newest}, not {_OLDEST} to {_NEWEST}"
            )
        # No topics, and none to be made.
        body = struct.pack(">i?", 0, False) + bytes(2 if version >= _WITH_AUTHORIZATION else 0)
        writer.write(render_request(_METADATA, version, body))
        brokers, controller = _decode_cluster(await _read_answer(reader, _METADATA, port))
    if brokers <= 0:
        raise NotReadyError(f"Kafka at port {port} names no broker yet")
    if controller < 0:
        raise NotReadyError(f"Kafka at port {port} knows no controller yet")


def render_request(key: int, version: int, body: bytes) -> bytes:
    """A request; its number is the key of what it asks for, which no connection here asks for twice."""
    head = struct.pack(">hhih", key, version, key, len(_NAME)) + _NAME
    return struct.pack(">i", len(head) + len(body)) + head + body


async def _read_answer(reader: asyncio.StreamReader, number: int, port: int) -> _Fields:
    head = await reader.readexactly(4)
    size = int.from_bytes(head, "big", signed=True)
    if not 4 <= size <= MAX_ANSWER_BYTES:  # noqa: PLR2004 - no answer is shorter than its number
        raise NotReadyError(describe_stranger("Kafka", port, head))
    answer = _Fields(await reader.readexactly(size), port)
    if answer.take("i") != number:
        raise NotReadyError(f"not Kafka: port {port} answered what it was not asked")
    return answer


def _decode_range(answer: _Fields) -> tuple[int, int]:
    """The oldest and the newest version of Metadata that the broker knows."""
    error = answer.take("h")
    if error:
        raise NotReadyError(f"Kafka at port {answer.port} answered with error {error}")
    for _ in range(answer.take("i")):
        key, oldest, newest = answer.take("h"), answer.take("h"), answer.take("h")
        if key == _METADATA:
            return oldest, newest
    raise NotReadyError(f"port {answer.port} speaks Kafka, but is no broker's")


def _decode_cluster(answer: _Fields) -> tuple[int, int]:
    """How many brokers there are, and the number of the controller: -1 while there is none."""
    answer.take("i")  # for how long the request was held back
    brokers = answer.take("i")
    for _ in range(brokers):
        answer.take("i")
        answer.skip_text()  # host
        answer.take("i")
        answer.skip_text()  # rack
    answer.skip_text()  # cluster
    return brokers, answer.take("i")


class _Fields:
    """What has not been read yet of one answer."""

    def __init__(self, content: bytes, port: int) -> None:
        self.port = port
        self._content = content
        self._offset = 0

    def take(self, kind: str) -> int:
        """The next number: ``h`` of two bytes, ``i`` of four."""
        try:
            (value,) = struct.unpack_from(f">{kind}", self._content, self._offset)
        except struct.error as error:
            raise NotReadyError(
                f"not Kafka: port {self.port} sent an answer that ends too early"
            ) from error
        self._offset += struct.calcsize(kind)
        return int(value)

    def skip_text(self) -> None:
        """Pass over a text, which may be missing."""
        size = self.take("h")
        self._offset += max(0, size)
