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

METADATA: Final = 3
_API_VERSIONS: Final = 18
NO_TOPICS, ALL_TOPICS = 0, -1
_OLDEST, _NEWEST = 4, 8
"""Versions of Metadata whose answers begin alike; every broker since Kafka 0.11 knows one of them."""
WITH_AUTHORIZATION: Final = 8
"""From here on a request also says whether it wants to know what it may do."""
_NAME: Final = b"prismctl"


async def probe_kafka(question: Question) -> None:
    """Ask which versions it speaks, and for the cluster without its topics.

    Raises:
        NotReadyError: nobody is named yet, it refuses, or it is no Kafka.
    """
    port = question.port
    async with open_conversation(question, limit=MAX_ANSWER_BYTES) as (reader, writer):
        version = await agree_on_metadata(reader, writer, port)
        writer.write(render_metadata_request(version, topics=NO_TOPICS))
        brokers, controller = skip_cluster(await read_answer(reader, METADATA, port))
    if brokers <= 0:
        raise NotReadyError(f"Kafka at port {port} names no broker yet")
    if controller < 0:
        raise NotReadyError(f"Kafka at port {port} knows no controller yet")


async def agree_on_metadata(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> int:
    """The newest version of Metadata that both sides know.

    Raises:
        NotReadyError: there is none, or it is no broker.
    """
    writer.write(render_request(_API_VERSIONS, 0, b""))
    oldest, newest = _decode_range(await read_answer(reader, _API_VERSIONS, port))
    version = min(_NEWEST, newest)
    if version < max(_OLDEST, oldest):
        raise NotReadyError(
            f"Kafka at port {port} speaks Metadata {oldest} to {newest}, not {_OLDEST} to {_NEWEST}"
        )
    return version


def render_metadata_request(version: int, *, topics: int) -> bytes:
    """Ask for the cluster, with `NO_TOPICS` or `ALL_TOPICS` of it; none is made by that."""
    body = struct.pack(">i?", topics, False) + bytes(2 if version >= WITH_AUTHORIZATION else 0)
    return render_request(METADATA, version, body)


def render_request(key: int, version: int, body: bytes) -> bytes:
    """A request; its number is the key of what it asks for: answers come in the order of the requests."""
    head = struct.pack(">hhih", key, version, key, len(_NAME)) + _NAME
    return struct.pack(">i", len(head) + len(body)) + head + body


async def read_answer(
    reader: asyncio.StreamReader, number: int, port: int, *, most_bytes: int = MAX_ANSWER_BYTES
) -> Fields:
    """The answer to a request, by its number.

    Raises:
        NotReadyError: it is another one, longer than it may be, or not Kafka's.
    """
    head = await reader.readexactly(4)
    size = int.from_bytes(head, "big", signed=True)
    if not 4 <= size <= most_bytes:  # noqa: PLR2004 - no answer is shorter than its number
        raise NotReadyError(describe_stranger("Kafka", port, head))
    answer = Fields(await reader.readexactly(size), port)
    if answer.take("i") != number:
        raise NotReadyError(f"not Kafka: port {port} answered what it was not asked")
    return answer


def _decode_range(answer: Fields) -> tuple[int, int]:
    """The oldest and the newest version of Metadata that the broker knows."""
    error = answer.take("h")
    if error:
        raise NotReadyError(f"Kafka at port {answer.port} answered with error {error}")
    for _ in range(answer.take("i")):
        key, oldest, newest = answer.take("h"), answer.take("h"), answer.take("h")
        if key == METADATA:
            return oldest, newest
    raise NotReadyError(f"port {answer.port} speaks Kafka, but is no broker's")


def skip_cluster(answer: Fields) -> tuple[int, int]:
    """Pass over what stands before the topics: how many brokers there are, and the number of the controller: -1 while there is none."""
    answer.take("i")  # for how long the request was held back
    brokers = answer.take("i")
    for _ in range(brokers):
        answer.take("i")
        answer.skip_text()  # host
        answer.take("i")
        answer.skip_text()  # rack
    answer.skip_text()  # cluster
    return brokers, answer.take("i")


class Fields:
    """What has not been read yet of one answer."""

    def __init__(self, content: bytes, port: int) -> None:
        self.port = port
        self._content = content
        self._offset = 0

    def take(self, kind: str) -> int:
        """The next number: ``b`` of one byte, ``h`` of two, ``i`` of four, ``q`` of eight."""
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
        self.take_text()

    def take_text(self) -> bytes:
        """The next text; empty where it is missing."""
        size = max(0, self.take("h"))
        self._offset += size
        return self._content[self._offset - size : self._offset]

    def skip_numbers(self) -> None:
        """Pass over a list of numbers of four bytes each."""
        count = max(0, self.take("i"))
        self._offset += 4 * count
