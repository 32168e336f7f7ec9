"""One service process: listens, says it serves, runs until it is asked to end, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc

from prism_services.serving.calls import CallWatch
from prism_services.serving.health import SERVICE as HEALTH_SERVICE
from prism_services.serving.health import Health
from prism_services.serving.metrics import CONTENT_TYPE, Gauge, Metrics
from prism_services.serving.pages import Answer, PageServer
from prism_services.serving.ports import authority, why_not
from prism_services.serving.reflection import reflection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from prism_services.serving.deferred import DeferredService
    from prism_services.serving.journal import Journal
    from prism_services.serving.pages import Page

    Job = Callable[[], Coroutine[None, None, None]]

GRACE_SECONDS: Final = 2.0
"""How long calls in flight have to finish once the service is asked to end."""
LOAD_AFTER_SECONDS: Final = 0.25
"""When deferred services are imported at the latest; at the earliest, after the first call."""
MOST_CALLS: Final = 1000
"""Calls in progress at a time; more are refused with RESOURCE_EXHAUSTED."""
OPTIONS: Final = (
    # Without this a second server could share the port of a first one, and take half of its calls.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePort:
    """An HTTP port that a service opens beside gRPC."""

    name: str
    """What the log calls it."""
    port: int
    flag: str
    """The flag that sets it."""
    pages: Mapping[str, Page] = field(default_factory=dict)
    """Pages besides ``/health`` and ``/metrics``."""


class ServiceHost:
    """Runs one gRPC server with everything that surrounds it."""

    def __init__(
        self, *, name: str, listen: str, journal: Journal, services: Sequence[DeferredService]
    ) -> None:
        self._name = name
        self._listen = listen
        self._journal = journal
        self._services = services
        self._started = time.time()
        self._stop = asyncio.Event()
        self._serving = asyncio.Event()
        self._page_servers: list[PageServer] = []
        self.health = Health(name for service in services for name in service.names)
        self.metrics = Metrics()
        self._calls = CallWatch(self.metrics, journal)
        self.grpc_port = 0
        """The port gRPC listens on, once it does."""
        started = self._started
        self.metrics.add(
            Gauge("process_start_time_seconds", "Start of the process.", lambda: started)
        )

    async def run(
        self, *, grpc_port: int, page_ports: Sequence[PagePort] = (), jobs: Sequence[Job] = ()
    ) -> None:
        """Serve until SIGTERM or SIGINT; ``jobs`` run from the first SERVING to the end of the last call."""
        self._heed_signals()
        server = self._build()
        try:
            ports = await self._open(server, grpc_port, page_ports)
            self.health.set_serving()
            self._serving.set()
            self._journal.info("serving", service=self._name, pid=os.getpid(), **ports)
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(job()) for job in (self._load, *jobs)]
                await self._stop.wait()
                await self._drain(server)
                for task in running:
                    task.cancel()
        finally:
            await server.stop(None)
            for pages in self._page_servers:
                await pages.close()
        self._journal.info("stopped", service=self._name)

    async def serving(self) -> None:
        """Wait until it serves."""
        await self._serving.wait()

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._stop.set()

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    def _build(self) -> grpc.aio.Server:
        mirror = reflection(self._services, also=(HEALTH_SERVICE,))
        return grpc.aio.server(
            handlers=(self.health, *self._services, mirror),
            interceptors=(self._calls,),
            options=OPTIONS,
            maximum_concurrent_rpcs=MOST_CALLS,
        )

    async def _open(
        self, server: grpc.aio.Server, grpc_port: int, page_ports: Sequence[PagePort]
    ) -> dict[str, str]:
        try:
            self.grpc_port = server.add_insecure_port(authority(self._listen, grpc_port))
        except RuntimeError as error:
            raise why_not(self._listen, grpc_port, flag="--grpc-port") from error
        ports = {"grpc": authority(self._listen, self.grpc_port)}
        common = {"/health": self._health_page, "/metrics": self._metrics_page}
        for wanted in page_ports:
            pages = PageServer({**common, **wanted.pages})
            await pages.open(self._listen, wanted.port, flag=wanted.flag)
            self._page_servers.append(pages)
            ports[wanted.name] = authority(self._listen, pages.port)
        await server.start()
        return ports

    async def _load(self) -> None:
        # Whoever waits for the first SERVING gets it before the imports take the interpreter.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOAD_AFTER_SECONDS):
                await self._calls.first_call.wait()
        for service in self._services:
            await asyncio.to_thread(service.load)
        gc.freeze()
        gc.enable()

    async def _drain(self, server: grpc.aio.Server) -> None:
        self._journal.info("draining", service=self._name, grace_seconds=GRACE_SECONDS)
        self.health.set_ending()
        await server.stop(GRACE_SECONDS)

    def _health_page(self) -> Answer:
        if self.health.serving:
            return Answer(status=200, body="serving\n")
        return Answer(status=503, body="not serving\n")

    def _metrics_page(self) -> Answer:
        return Answer(status=200, body=self.metrics.render(), content_type=CONTENT_TYPE)
