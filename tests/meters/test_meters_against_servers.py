"""What every meter does, whatever it reads: one suite, each kind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from prismctl.meters.registry import make_meter
from prismctl.probes.question import NotReadyError
from tests.meters.fakes import FAKES, FakePostgres, FakeRedis, FakeServer
from tests.probes.conversations import reset, saying, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.meters.meter import Counts, Target


@pytest.fixture(params=FAKES, ids=lambda fake: str(fake.kind))
def fake(request: pytest.FixtureRequest) -> FakeServer:
    made: FakeServer = request.param()
    return made


def others(counts: Counts) -> int:
    return counts.requests - counts.own


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - a server of this very loop tells nobody
            await asyncio.sleep(0.001)


async def test_it_reads_what_was_counted_and_none_of_its_own(fake: FakeServer) -> None:
    async with fake.serving() as target:
        meter = make_meter(target)
        for requests in (0, 1000, 1000, 1001):
            fake.requests = requests
            assert others(await meter.read()) == requests
        meter.close()
        assert fake.connections == (1 if fake.stays_connected else 4)


async def test_it_lets_go_of_its_connection(fake: FakeServer) -> None:
    async with fake.serving() as target:
        meter = make_meter(target)
        await meter.read()
        meter.close()
        await until(lambda: fake.open == 0)
        fake.requests = 5
        assert others(await meter.read()) == 5
        meter.close()
        await until(lambda: fake.open == 0)


async def test_it_connects_again_when_the_server_hung_up(fake: FakeServer) -> None:
    async with fake.serving() as target:
        meter = make_meter(target)
        await meter.read()
        fake.hang_up()
        await until(lambda: fake.open == 0)
        fake.requests = 7
        try:
            counts = await meter.read()
        except NotReadyError:
            # The hang-up and the next question may pass each other.
            counts = await meter.read()
        assert others(counts) == 7
        meter.close()


async def test_half_an_answer_is_no_answer(fake: FakeServer) -> None:
    async with fake.serving() as target:
        meter = make_meter(target)
        fake.cuts_short = True
        with pytest.raises(NotReadyError):
            await meter.read()
        fake.requests = 3
        assert others(await meter.read()) == 3
        meter.close()


async def test_a_server_that_says_nothing_is_given_up_without_a_trace(fake: FakeServer) -> None:
    async with fake.serving() as target:
        meter = make_meter(target)
        fake.is_silent = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await meter.read()
        fake.hang_up()
        fake.is_silent = False
        fake.requests = 3
        assert others(await meter.read()) == 3
        meter.close()


STRANGERS = {
    "a page of something else": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    "a refusal": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "a page that is too long": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "another greeting": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an error of Redis": b"-ERR no\r\n",
    "a list of lists": b"*1\r\n*1\r\n:1\r\n",
    "a text that is too long": b"$999999999\r\n",
    "a number that is too long": b"$" + b"9" * 9999 + b"\r\n",
    "noughts": bytes(200),
    "ones": b"\xff" * 200,
    "nothing": b"",
}


@pytest.mark.parametrize("said", STRANGERS.values(), ids=STRANGERS.keys())
async def test_a_stranger_is_refused(fake: FakeServer, said: bytes) -> None:
    async with serving(saying(said)) as port:
        await refuse(fake.target(port=port))


async def test_a_reset_is_refused(fake: FakeServer) -> None:
    async with serving(reset) as port:
        await refuse(fake.target(port=port))


async def refuse(target: Target) -> None:
    meter = make_meter(target)
    with pytest.raises(NotReadyError):
        async with asyncio.timeout(10):
            await meter.read()
    meter.close()


async def test_nobody_there_is_no_reading(fake: FakeServer) -> None:
    async with fake.serving():
        pass
    with pytest.raises(NotReadyError, match="connection refused"):
        await make_meter(fake.target()).read()


async def test_redis_is_asked_as_whom_its_check_asks() -> None:
    locked = FakeRedis()
    locked.password, locked.requests = b"secret", 9
    async with locked.serving() as target:
        for password, wanted in (("secret", 9), ("wrong", "WRONGPASS"), ("", "NOAUTH")):
            asked = replace(target, question=replace(target.question, password=password))
            meter = make_meter(asked)
            if isinstance(wanted, int):
                assert [others(await meter.read()) for _ in range(2)] == [wanted, wanted]
            else:
                with pytest.raises(NotReadyError, match=wanted):
                    await meter.read()
            meter.close()


async def test_a_postgres_with_few_connections_is_left_alone() -> None:
    class Small(FakePostgres):
        async def say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
            await super().say(writer, answer.replace(b"\0\0\0\x03100", b"\0\0\0\x0319 "))

    small = Small()
    async with small.serving() as target:
        meter = make_meter(target)
        with pytest.raises(NotReadyError, match="takes 19 clients"):
            await meter.read()
        await until(lambda: small.open == 0)
