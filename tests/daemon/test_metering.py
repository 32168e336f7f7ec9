from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.daemon.metering import PATIENCE_SECONDS, READING_SECONDS, Metering
from prismctl.domain.rates import Unit
from tests.meters.fakes import KEY, FakeNats, FakePostgres, FakePrism, FakeRedis, FakeServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prismctl.domain.rates import Traffic

SERVICE = KEY.service


class Bench:
    """A metering of fake servers, each a replica of one service; it waits for what is slow, but not for what hangs."""

    def __init__(self, *, patience_seconds: float = 2 * READING_SECONDS) -> None:
        self.is_up = True
        self.answers: int | None = 0
        self.metering = Metering(
            lambda _: self.is_up, lambda _: self.answers, patience_seconds=patience_seconds
        )
        self._servers = AsyncExitStack()

    async def run(self, *servers: FakeServer, **fields: Any) -> None:
        for replica, server in enumerate(servers):
            await self._servers.enter_async_context(server.serving())
            target = server.target(replica=replica, **fields)
            self.metering.follow(target.question.key, target)

    async def read(self, *, hangs_up: bool = False) -> Traffic:
        return (await self.metering.read(hangs_up=hangs_up))[SERVICE]

    async def read_until(self, is_so: Callable[[Traffic], bool]) -> Traffic:
        async with asyncio.timeout(20):
            while not is_so(traffic := await self.read()):  # noqa: ASYNC110 - readings are taken, not told
                await asyncio.sleep(0.01)
        return traffic

    async def close(self) -> None:
        self.metering.close()
        await self._servers.aclose()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.close()


@pytest.fixture
async def hasty_bench() -> AsyncIterator[Bench]:
    bench = Bench(patience_seconds=PATIENCE_SECONDS)
    yield bench
    await bench.close()


async def test_requests_of_all_replicas_are_counted_together(bench: Bench) -> None:
    servers = [FakeRedis(), FakeRedis(), FakeRedis()]
    await bench.run(*servers)
    before = await bench.read()
    assert (before.unit, before.requests_total) == (Unit.OPERATIONS, 0)
    assert before.requests_per_second is None
    for server in servers:
        server.requests = 100

    after = await bench.read()

    assert after.requests_total == 300
    assert after.requests_per_second is not None
    assert after.requests_per_second > 0


async def test_a_server_that_hangs_delays_nobody_and_has_no_figures(hasty_bench: Bench) -> None:
    bench = hasty_bench
    good, stuck = FakeRedis(), FakeRedis()
    await bench.run(good, stuck)
    stuck.requests = 50
    await bench.read_until(lambda traffic: traffic.requests_total == 50)
    stuck.is_silent = True
    good.requests = 10

    began = time.monotonic()
    await bench.read()
    assert time.monotonic() - began < READING_SECONDS
    # What was read of it before counts until it is given up.
    await bench.read_until(lambda traffic: traffic.requests_total in {60, 10})

    await bench.read_until(lambda traffic: traffic.requests_total == 10)
    # Not a connection for each time that was asked: at most it was tried once more.
    assert stuck.connections <= 2
    stuck.hang_up()
    stuck.is_silent = False
    await bench.read_until(lambda traffic: traffic.requests_total == 60)


async def test_another_run_is_another_program(bench: Bench) -> None:
    server = FakeRedis()
    await bench.run(server)
    server.requests = 1_000_000
    await bench.read()
    server.requests = 3
    bench.metering.follow(KEY, server.target(run="2"))

    traffic = await bench.read()

    assert (traffic.requests_total, traffic.requests_per_second) == (3, None)


async def test_the_same_run_goes_on_when_it_is_told_again(bench: Bench) -> None:
    server = FakeRedis()
    await bench.run(server)
    await bench.read()
    bench.metering.follow(KEY, server.target())
    assert (await bench.read()).requests_per_second == 0.0


async def test_what_does_not_run_has_no_figures(bench: Bench) -> None:
    await bench.run(FakeRedis())
    await bench.read()
    bench.metering.follow(KEY, None)
    assert await bench.metering.read(hangs_up=False) == {}


async def test_it_is_not_asked_before_it_has_answered(bench: Bench) -> None:
    server = FakeRedis()
    await bench.run(server)
    bench.is_up = False
    assert (await bench.read()).requests_total is None
    assert server.connections == 0


async def test_our_checks_are_no_messages(bench: Bench) -> None:
    server = FakeNats()
    async with server.serving() as target:
        counted = type(target)(kind=target.kind, question=target.question, requests_per_check=1)
        bench.metering.follow(KEY, counted)
        bench.answers, server.requests = 4, 4
        assert (await bench.read()).requests_total == 0
        # While a check is under way, nobody can tell whether it is among those that were counted.
        bench.answers, server.requests = None, 5
        assert (await bench.read()).requests_total == 0
        bench.answers = 5
        traffic = await bench.read()
        assert (traffic.requests_total, traffic.requests_per_second) == (0, 0.0)
        server.requests = 7
        assert (await bench.read()).requests_total == 2
        bench.metering.close()


async def test_its_own_queries_are_no_transactions(bench: Bench) -> None:
    server = FakePostgres()
    await bench.run(server)
    server.requests = 41
    await bench.read()
    for hangs_up in (False, True, True, False):
        traffic = await bench.read(hangs_up=hangs_up)
        assert (traffic.requests_total, traffic.requests_per_second) == (41, 0.0)


@pytest.mark.parametrize(("hangs_up", "connections"), [(False, 1), (True, 3)])
async def test_connections_stay_open_only_while_somebody_watches(
    bench: Bench, *, hangs_up: bool, connections: int
) -> None:
    server = FakeRedis()
    await bench.run(server)
    for _ in range(3):
        await bench.read(hangs_up=hangs_up)
    assert server.connections == connections


async def test_what_cannot_be_read_is_asked_less_and_less(bench: Bench) -> None:
    server = FakePrism()
    await bench.run(server)
    server.page = lambda: "nothing of interest"  # type: ignore[method-assign]
    for _ in range(50):
        assert (await bench.read()).requests_total is None
    assert server.connections == 1
