from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from prism_proto.prism import control_plane_pb2 as cp
from prism_services.launcher.admin_link import AdminLink, Identity, retry_delays
from prism_services.serving.journal import Journal
from prism_services.serving.ports import listening_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IDENTITY = Identity(
    launcher_id="l1",
    address="127.0.0.1:7070",
    region="here",
    max_processes=20,
    patterns=("keyvalue",),
)


class Admin:
    """An admin that queues up what it is told, on a port it can leave and come back to."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Any] = asyncio.Queue(maxsize=100)
        self.refusals = 0
        self.deaf = False
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def RegisterLauncher(self, request: Any, context: Any) -> cp.LauncherRegistrationAck:  # noqa: N802 - the protocol's name
        await self.told.put(request)
        if self.refusals:
            self.refusals -= 1
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "there are too many")
        return cp.LauncherRegistrationAck(success=True, assigned_capacity=20)

    async def LauncherHeartbeat(self, request: Any, context: Any) -> cp.HeartbeatAck:  # noqa: N802 - the protocol's name
        await self.told.put(request)
        if self.deaf:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the disk is full")
        return cp.HeartbeatAck(success=True)

    async def start(self) -> None:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers([self._handlers()])
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    def _handlers(self) -> grpc.GenericRpcHandler:
        pairs = (
            (self.RegisterLauncher, cp.LauncherRegistration),
            (self.LauncherHeartbeat, cp.LauncherHeartbeatRequest),
        )
        return grpc.method_handlers_generic_handler(
            "prism.ControlPlane",
            {
                method.__name__: grpc.unary_unary_rpc_method_handler(
                    method, kind.FromString, lambda answer: answer.SerializeToString()
                )
                for method, kind in pairs
            },
        )

    async def stop(self) -> None:
        if self._server:
            await self._server.stop(None)

    async def hears(self) -> Any:
        async with asyncio.timeout(20):
            return await self.told.get()


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    admin = Admin()
    await admin.start()
    yield admin
    await admin.stop()


class WatchedJournal(Journal):
    """A journal that tells of its first warning."""

    def __init__(self) -> None:
        super().__init__("tested")
        self.warned = asyncio.Event()

    def warning(self, message: str, **fields: Any) -> None:
        super().warning(message, **fields)
        self.warned.set()


def link_to(
    port: int,
    *,
    heartbeat_seconds: float = 3600,
    host: str = "127.0.0.1",
    journal: Journal | None = None,
) -> AdminLink:
    return AdminLink(
        endpoint=f"{host}:{port}",
        identity=lambda: IDENTITY,
        reports=list,
        journal=journal or Journal("tested"),
        heartbeat_seconds=heartbeat_seconds,
    )


async def test_it_registers_and_then_sends_heartbeats_with_its_counts(admin: Admin) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link_to(admin.port, heartbeat_seconds=0.01).run())
        registration = await admin.hears()
        assert (registration.launcher_id, registration.address) == ("l1", "127.0.0.1:7070")
        assert registration.max_processes == 20
        heartbeat = await admin.hears()
        assert heartbeat.launcher_id == "l1"
        assert heartbeat.resources == cp.LauncherResourceUsage(
            process_count=0, max_processes=20, available_slots=20
        )
        running.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_waits_for_an_admin_that_starts_later(host: str) -> None:
    with listening_socket("127.0.0.1", 0, flag="") as taken:
        port = taken.getsockname()[1]
    admin = Admin()
    admin.port = port
    journal = WatchedJournal()
    link = link_to(port, host=host, journal=journal)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link.run())
        async with asyncio.timeout(20):
            await journal.warned.wait()
        assert (link.registered, link.trouble) == (False, "no answer")
        await admin.start()
        assert (await admin.hears()).launcher_id == "l1"
        running.cancel()
    await admin.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_it_registers_again_soon_after_admin_is_back(admin: Admin, host: str) -> None:
    loop = asyncio.get_running_loop()
    link = link_to(admin.port, host=host)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link.run())
        await admin.hears()
        for _ in range(2):
            await admin.stop()
            await admin.start()
            back = loop.time()
            assert isinstance(await admin.hears(), cp.LauncherRegistration)
            assert loop.time() - back < 15
        assert link.registered
        running.cancel()


async def test_a_refused_registration_is_tried_again(admin: Admin) -> None:
    admin.refusals = 2
    link = link_to(admin.port)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link.run())
        for _ in range(3):
            assert isinstance(await admin.hears(), cp.LauncherRegistration)
        running.cancel()


async def test_a_heartbeat_that_fails_leads_to_a_new_registration(admin: Admin) -> None:
    admin.deaf = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link_to(admin.port, heartbeat_seconds=0.01).run())
        kinds = [type(await admin.hears()) for _ in range(3)]
        assert kinds == [
            cp.LauncherRegistration,
            cp.LauncherHeartbeatRequest,
            cp.LauncherRegistration,
        ]
        running.cancel()


def test_the_first_retries_are_fast_and_later_ones_about_a_second_apart() -> None:
    delays = list(itertools.islice(retry_delays(), 50))
    assert 0.05 <= delays[0] <= 0.1
    assert all(0.05 <= delay <= 1.0 for delay in delays)
    assert all(delay >= 0.5 for delay in delays[10:])
