"""The launcher's side of the control plane: registers, sends heartbeats, registers again when admin is back.

Registering is idempotent, so it is simply repeated whenever the connection was lost: an admin that
restarted, with or without its data, knows the launcher as soon as it answers again. The connection itself
says when that happens; nothing is asked in between but a heartbeat every 30 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

import grpc

from prism_services import __version__
from prism_services.launcher.isolation import Isolation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prism_proto.prism.control_plane_pb2 import LauncherHeartbeatRequest, LauncherRegistration
    from prism_proto.prism.control_plane_pb2_grpc import ControlPlaneAsyncStub
    from prism_services.launcher.supervisor import ProcessReport
    from prism_services.serving.journal import Journal

HEARTBEAT_SECONDS: Final = 30.0
GENERATED: Final = "prism_proto.prism.control_plane_pb2_grpc"
CALL_SECONDS: Final = 5.0
"""How long admin may take to answer, connecting included."""
FIRST_RETRY_SECONDS: Final = 0.05
LAST_RETRY_SECONDS: Final = 1.0
SILENT: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
CHANNEL_OPTIONS: Final = (
    # A proxy for the web has no business between two services of a stack.
    ("grpc.enable_http_proxy", 0),
    # Connecting is tried again by the channel itself: soon at first, then once a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A name is looked up again that soon after the connection was lost.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this launcher is."""

    launcher_id: str
    address: str
    """Where its gRPC server listens."""
    region: str
    max_processes: int
    patterns: tuple[str, ...]


class AdminLink:
    """Keeps admin informed."""

    def __init__(
        self,
        *,
        endpoint: str,
        identity: Callable[[], Identity],
        reports: Callable[[], Sequence[ProcessReport]],
        journal: Journal,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._endpoint = endpoint
        self._identity = identity
        self._reports = reports
        self._journal = journal
        self._heartbeat_seconds = heartbeat_seconds
        self.registered = False
        """Whether admin has ever taken this launcher in."""
        self.connected = False
        """Whether it has since the connection was last lost."""
        self.trouble = "not tried yet"
        """Why it is not connected."""

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        async with grpc.aio.insecure_channel(self._endpoint, options=CHANNEL_OPTIONS) as channel:
            channel.get_state(try_to_connect=True)
            grpc_code = await asyncio.to_thread(import_module, GENERATED)
            stub: ControlPlaneAsyncStub = grpc_code.ControlPlaneStub(channel)
            while True:
                await self._register(stub)
                await self._stay(channel, stub)
                self.connected = False
                self._journal.warning("admin lost", admin=self._endpoint, reason=self.trouble)

    async def _register(self, stub: ControlPlaneAsyncStub) -> None:
        # The first try fails as soon as nobody is there, so that this is known; later ones wait in the
        # channel, which connects the moment it can.
        for tries, delay in enumerate(retry_delays()):
            try:
                ack = await stub.RegisterLauncher(
                    _registration(self._identity()), timeout=CALL_SECONDS, wait_for_ready=tries > 0
                )
            except grpc.aio.AioRpcError as error:
                self._note_trouble(_words(error))
            else:
                if ack.success:
                    self._note_registered(len(ack.initial_processes), ack.assigned_capacity)
                    return
                self._note_trouble(ack.message)
            await asyncio.sleep(delay)

    async def _stay(self, channel: grpc.aio.Channel, stub: ControlPlaneAsyncStub) -> None:
        """Send heartbeats until the connection is lost or one is not answered."""
        ready = grpc.ChannelConnectivity.READY
        lost = asyncio.ensure_future(channel.wait_for_state_change(ready))
        try:
            while not lost.done():
                await asyncio.wait({lost}, timeout=self._heartbeat_seconds)
                if not lost.done():
                    await stub.LauncherHeartbeat(self._heartbeat(), timeout=CALL_SECONDS)
            self.trouble = "the connection was lost"
        except grpc.aio.AioRpcError as error:
            self.trouble = _words(error)
        finally:
            lost.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lost

    def _heartbeat(self) -> LauncherHeartbeatRequest:
        from prism_proto.prism.control_plane_pb2 import (
            LauncherHeartbeatRequest,
            LauncherResourceUsage,
        )

        identity, reports = self._identity(), self._reports()
        request = LauncherHeartbeatRequest(
            launcher_id=identity.launcher_id,
            resources=LauncherResourceUsage(
                process_count=len(reports),
                max_processes=identity.max_processes,
                total_memory_mb=sum(report.memory_mb for report in reports),
                cpu_percent=sum(report.cpu_percent for report in reports),
                available_slots=max(0, identity.max_processes - len(reports)),
            ),
        )
        request.timestamp = int(time.time())
        for report in reports:
            health = request.process_health[report.process_id]
            health.status = str(report.state).lower()
            health.pid = report.pid
            health.restart_count = report.restart_count
            health.error_count = report.error_count
            health.memory_mb = report.memory_mb
            health.uptime_seconds = report.uptime_seconds
            health.last_error = report.last_error
            health.cpu_percent = report.cpu_percent
        return request

    def _note_registered(self, processes: int, capacity: int) -> None:
        self.registered = self.connected = True
        self.trouble = ""
        self._journal.info(
            "registered", admin=self._endpoint, processes=processes, capacity=capacity
        )

    def _note_trouble(self, reason: str) -> None:
        if reason != self.trouble:
            self._journal.warning("not registered yet", admin=self._endpoint, reason=reason)
        self.trouble = reason


def retry_delays() -> Iterator[float]:
    """Seconds between tries: soon at first, then about once a second; jittered, without end."""
    delay = FIRST_RETRY_SECONDS
    while True:
        yield delay * random.uniform(1.0, 2.0)  # noqa: S311 - spreads launchers out, guards nothing
        delay = min(delay * 1.6, LAST_RETRY_SECONDS / 2)


def _registration(identity: Identity) -> LauncherRegistration:
    from prism_proto.prism.control_plane_pb2 import LauncherRegistration

    return LauncherRegistration(
        launcher_id=identity.launcher_id,
        address=identity.address,
        region=identity.region,
        version=__version__,
        capabilities=[f"isolation-{isolation}" for isolation in Isolation],
        max_processes=identity.max_processes,
        process_types=["pattern"],
        metadata={"patterns": ",".join(identity.patterns)},
    )


def _words(error: grpc.aio.AioRpcError) -> str:
    if error.code() in SILENT:
        return "no answer"
    return " ".join((error.details() or error.code().name.lower()).split())
