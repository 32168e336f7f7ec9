"""Kafka: the records in all topics, by the end of every partition that this broker leads.

Its own counters are told over JMX only, which a stack does not open. How far its logs have grown is what the protocol
tells, and is what producers have sent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from prismctl.meters.line import Line
from prismctl.meters.meter import Counts
from prismctl.probes.connect import describe_stranger
from prismctl.probes.kafka import (
    ALL_TOPICS,
    METADATA,
    WITH_AUTHORIZATION,
    agree_on_metadata,
    read_answer,
    render_metadata_request,
    render_request,
    skip_cluster,
)
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prismctl.probes.kafka import Fields
    from prismctl.probes.question import Question

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""Some ten thousand partitions; more would hold up whoever decodes them."""

_LIST_OFFSETS: Final = 2
_VERSION: Final = 1
"""Known by every broker since Kafka 0.10.1."""
_LATEST: Final = -1
_CLIENT: Final = -1
_WITH_LEADER_EPOCH: Final = 7
_WITH_OFFLINE_REPLICAS: Final = 5

Partitions = dict[bytes, list[int]]
"""Numbers of partitions by topic."""


class KafkaMeter:
    """How far the logs of one broker have grown."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._line = Line(question, limit=MAX_ANSWER_BYTES)
        self._version = 0

    async def read(self) -> Counts:
        """The counters now.

        Raises:
            NotReadyError: it refuses, has more partitions than can be asked for, or is no Kafka.
        """
        port = self._question.port
        is_new = not self._line.is_open
        async with self._line.conversation() as (reader, writer):
            if is_new:
                self._version = await agree_on_metadata(reader, writer, port)
            writer.write(render_metadata_request(self._version, topics=ALL_TOPICS))
            answer = await read_answer(reader, METADATA, port, most_bytes=MAX_ANSWER_BYTES)
            partitions = decode_partitions(answer, self._version)
            if not partitions:
                return Counts(0)
            writer.write(render_offsets_request(partitions))
            answer = await read_answer(reader, _LIST_OFFSETS, port, most_bytes=MAX_ANSWER_BYTES)
            return Counts(sum_offsets(answer))

    def close(self) -> None:
        """Hang up."""
        self._line.close()


def decode_partitions(answer: Fields, version: int) -> Partitions:
    """The partitions of every topic that is no business of Kafka's own."""
    skip_cluster(answer)
    found: Partitions = {}
    for _ in range(answer.take("i")):
        answer.take("h")  # error
        topic = answer.take_text()
        is_internal = answer.take("b") != 0
        for _ in range(answer.take("i")):
            error, number = answer.take("h"), answer.take("i")
            answer.take("i")  # leader
            if version >= _WITH_LEADER_EPOCH:
                answer.take("i")
            answer.skip_numbers()  # replicas
            answer.skip_numbers()  # those in sync
            if version >= _WITH_OFFLINE_REPLICAS:
                answer.skip_numbers()
            if not error and not is_internal:
                found.setdefault(topic, []).append(number)
        if version >= WITH_AUTHORIZATION:
            answer.take("i")
    return found


def render_offsets_request(partitions: Mapping[bytes, Sequence[int]]) -> bytes:
    """Ask where each partition ends."""
    body = [struct.pack(">ii", _CLIENT, len(partitions))]
    for topic, numbers in partitions.items():
        body.append(struct.pack(">h", len(topic)) + topic + struct.pack(">i", len(numbers)))
        body += (struct.pack(">iq", number, _LATEST) for number in numbers)
    return render_request(_LIST_OFFSETS, _VERSION, b"".join(body))


def sum_offsets(answer: Fields) -> int:
    """Where all partitions end, taken together.

    Raises:
        NotReadyError: of some it is not told, because their leader changes.
    """
    total = 0
    for _ in range(answer.take("i")):
        answer.skip_text()
        for _ in range(answer.take("i")):
            answer.take("i")  # partition
            error = answer.take("h")
            answer.take("q")  # time
            offset = answer.take("q")
            if error or offset < 0:
                raise NotReadyError(describe_stranger("Kafka", answer.port, b"error %d" % error))
            total += offset
    return total
