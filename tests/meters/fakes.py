"""Servers that count what they are told to have counted, and talk as the real ones do, one a kind of meter."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from prismctl.domain.observation import InstanceKey
from prismctl.domain.service import CheckType, ServiceName
from prismctl.meters.meter import MeterKind, Target
from prismctl.probes.question import Question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = InstanceKey(ServiceName("subject"), 0)


class FakeServer:
    """Counts ``requests``; one answer at a time can be made to go wrong."""

    kind: ClassVar[MeterKind]
    stays_connected: ClassVar[bool] = True
    """Whether a second reading comes over the same connection."""

    def __init__(self) -> None:
        self.requests = 0
        self.own = 0
        """What it has counted of the meter's."""
        self.port = 0
        self.connections = 0
        self.open = 0
        self.is_silent = False
        self.cuts_short = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._hung_up = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Target]:
        """What is to be read of it, while it serves."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self.target()
            self.hang_up()
            await asyncio.gather(*self._talks)

    def target(self, *, run: str = "1", replica: int = 0, port: int = 0) -> Target:
        return Target(
            kind=self.kind,
            question=Question(
                key=KEY._replace(replica=replica),
                run=run,
                type=CheckType.TCP,
                port=port or self.port,
            ),
        )

    def hang_up(self) -> None:
        self._hung_up.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.converse(reader, writer)
        finally:
            self._talks.discard(task)
            self._writers.discard(writer)
            self.open -= 1
            writer.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if self.is_silent:
            await self._hung_up.wait()
            raise ConnectionAbortedError
        if self.cuts_short:
            self.cuts_short = False
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            raise ConnectionAbortedError
        writer.write(answer)
        await writer.drain()


class FakePage(FakeServer):
    """An HTTP server of one page."""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            body = self.page().encode()
            more = b"" if self.stays_connected else b"Connection: close\r\n"
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (len(body), more)
            await self.say(writer, head + body)
            if not self.stays_connected:
                return

    def page(self) -> str:
        raise NotImplementedError


class FakePrism(FakePage):
    kind = MeterKind.PRISM
    stays_connected = False

    def page(self) -> str:
        return PRISM_PAGE.format(requests=self.requests)


class FakeNats(FakePage):
    kind = MeterKind.NATS

    def page(self) -> str:
        return f'{{"server_id": "N", "in_msgs": {self.requests}, "out_msgs": 3}}'


class FakeRedis(FakeServer):
    kind = MeterKind.REDIS
    password = b""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_let_in = False
        while True:
            count = int((await reader.readuntil(b"\r\n"))[1:])
            words = []
            for _ in range(count):
                size = int((await reader.readuntil(b"\r\n"))[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            if words[0] == b"AUTH" and self.password:
                is_let_in = words[-1] == self.password
                writer.write(b"+OK\r\n" if is_let_in else b"-WRONGPASS invalid password\r\n")
            elif self.password and not is_let_in:
                writer.write(b"-NOAUTH Authentication required.\r\n")
            elif words[0] == b"INFO":
                info = REDIS_INFO.format(requests=self.requests).encode()
                await self.say(writer, b"$%d\r\n%b\r\n" % (len(info), info))
            else:
                writer.write(b"-ERR unknown command `LATENCY`\r\n")


class FakePostgres(FakeServer):
    kind = MeterKind.POSTGRES

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size - 4)
        self.own += 1
        writer.write(pg(b"R", bytes(4)) + pg(b"Z", b"I"))
        while True:
            kind, size = struct.unpack(">ci", await reader.readexactly(5))
            query = (await reader.readexactly(size - 4)).decode()
            if kind == b"X":
                return
            if "current_setting" in query:
                answer = pg_row("150018", "100")
            elif "pg_stat_database" in query:
                answer = pg_row(str(self.requests + self.own), "2", "")
            else:
                answer = pg_row("")
            self.own += 1
            await self.say(writer, answer + pg(b"C", b"SELECT 1\0") + pg(b"Z", b"I"))


class FakeKafka(FakeServer):
    """Two topics with a partition each, and one of its own."""

    kind = MeterKind.KAFKA

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            request = await reader.readexactly(size)
            key, _, number = struct.unpack_from(">hhi", request)
            answer = {18: self._versions, 3: self._metadata, 2: self._offsets}[key]()
            body = struct.pack(">i", number) + answer
            await self.say(writer, struct.pack(">i", len(body)) + body)

    def _versions(self) -> bytes:
        return struct.pack(">hihhh", 0, 1, 3, 0, 12)

    def _metadata(self) -> bytes:
        head = struct.pack(">ii", 0, 1) + struct.pack(">i", 1) + text(b"localhost")
        head += struct.pack(">ih", 9092, -1) + text(b"cluster") + struct.pack(">i", 1)
        topics = [
            struct.pack(">h", 0)
            + text(name)
            + struct.pack(">?i", is_internal, 1)
            + struct.pack(">hiii", 0, 0, 1, 0)
            + 2 * struct.pack(">ii", 1, 1)
            + struct.pack(">i", 0)
            + struct.pack(">i", 0)
            for name, is_internal in ((b"a", False), (b"__own", True), (b"b", False))
        ]
        return head + struct.pack(">i", len(topics)) + b"".join(topics) + struct.pack(">i", 0)

    def _offsets(self) -> bytes:
        topics = ((b"a", self.requests // 2), (b"b", self.requests - self.requests // 2))
        return struct.pack(">i", len(topics)) + b"".join(
            text(name) + struct.pack(">iihqq", 1, 0, 0, -1, offset) for name, offset in topics
        )


FAKES: tuple[type[FakeServer], ...] = (FakePrism, FakeRedis, FakePostgres, FakeNats, FakeKafka)


def text(content: bytes) -> bytes:
    return struct.pack(">h", len(content)) + content


def pg(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def pg_row(*columns: str) -> bytes:
    values: list[Any] = [column.encode() for column in columns]
    body = struct.pack(">H", len(values))
    return pg(b"D", body + b"".join(struct.pack(">i", len(each)) + each for each in values))


PRISM_PAGE = """\
# HELP grpc_server_handled_total Calls that have ended, by status.
# TYPE grpc_server_handled_total counter
grpc_server_handled_total{{grpc_service="prism.KeyValue",grpc_method="Get",grpc_code="OK"}} {requests}
grpc_server_handled_total{{grpc_service="grpc.health.v1.Health",grpc_method="Check",grpc_code="OK"}} 99
# HELP grpc_server_handling_seconds How long calls took.
# TYPE grpc_server_handling_seconds histogram
grpc_server_handling_seconds_bucket{{grpc_service="prism.KeyValue",grpc_method="Get",le="0.001"}} {requests}
grpc_server_handling_seconds_bucket{{grpc_service="prism.KeyValue",grpc_method="Get",le="+Inf"}} {requests}
grpc_server_handling_seconds_sum{{grpc_service="prism.KeyValue",grpc_method="Get"}} 0.5
grpc_server_handling_seconds_count{{grpc_service="prism.KeyValue",grpc_method="Get"}} {requests}
"""

REDIS_INFO = """\
# Commandstats\r
cmdstat_get:calls={requests},usec=600,usec_per_call=0.60,rejected_calls=0,failed_calls=0\r
cmdstat_ping:calls=40,usec=10,usec_per_call=0.25,rejected_calls=0,failed_calls=0\r
cmdstat_info:calls=7,usec=300,usec_per_call=42.86,rejected_calls=0,failed_calls=0\r
cmdstat_client|setinfo:calls=2,usec=3,usec_per_call=1.50,rejected_calls=0,failed_calls=1\r
"""
