"""Something in each of the servers, written and read back by the clients that a user's program has."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiokafka
import asyncpg
import nats
from redis.asyncio import Redis

if TYPE_CHECKING:
    from tests.e2e.conftest import Shell

SERVERS: Final = ("redis", "postgres", "nats", "kafka")
SECONDS: Final = 30
"""How long a client may take for what it was asked; a broker that was killed lets nobody write for a while."""
MARK: Final = "kept"


class Contents:
    """Of the servers of one stack, which are found as a program finds them: by the variables of `dev env`."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def write(self, *names: str) -> None:
        """Put something into these servers, or into all."""
        for name in names or SERVERS:
            write, _, variable = _CLIENTS[name]
            asyncio.run(asyncio.wait_for(write(self.shell.variable(variable)), SECONDS))

    def read(self, *names: str) -> None:
        """See that it is there, once."""
        for name in names or SERVERS:
            _, read, variable = _CLIENTS[name]
            asyncio.run(asyncio.wait_for(read(self.shell.variable(variable)), SECONDS))


async def _write_redis(url: str) -> None:
    async with Redis.from_url(url) as client:
        assert await client.set("key", MARK)


async def _read_redis(url: str) -> None:
    async with Redis.from_url(url, decode_responses=True) as client:
        assert await client.get("key") == MARK


async def _write_postgres(url: str) -> None:
    client = await asyncpg.connect(url)
    try:
        await client.execute("create table kept (value text)")
        await client.execute("insert into kept values ($1)", MARK)
    finally:
        await client.close()


async def _read_postgres(url: str) -> None:
    client = await asyncpg.connect(url)
    try:
        assert [tuple(row) for row in await client.fetch("select value from kept")] == [(MARK,)]
    finally:
        await client.close()


async def _write_nats(url: str) -> None:
    async with await nats.connect(url) as client:
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        assert (await stream.publish("s.1", MARK.encode())).seq == 1


async def _read_nats(url: str) -> None:
    async with await nats.connect(url) as client:
        message = await client.jetstream().get_msg("S", seq=1)
        assert message.data == MARK.encode()


async def _write_kafka(brokers: str) -> None:
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
        await producer.send_and_wait("topic", MARK.encode())


async def _read_kafka(brokers: str) -> None:
    async with aiokafka.AIOKafkaConsumer(
        "topic", bootstrap_servers=brokers, auto_offset_reset="earliest"
    ) as consumer:
        assert (await consumer.getone()).value == MARK.encode()


_CLIENTS: Final = {
    "redis": (_write_redis, _read_redis, "REDIS_URL"),
    "postgres": (_write_postgres, _read_postgres, "DATABASE_URL"),
    "nats": (_write_nats, _read_nats, "NATS_URL"),
    "kafka": (_write_kafka, _read_kafka, "KAFKA_BROKERS"),
}
"""What writes, what reads, and the variable with the address."""
