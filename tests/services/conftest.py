"""Services for tests: hosted in this process, or as real processes that must be gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest

from prism_services.serving.host import PagePort, ServiceHost
from prism_services.serving.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from prism_services.serving.deferred import DeferredService
    from prism_services.serving.host import Job

PORT = re.compile(r"(grpc|metrics|health)=\S+?:(\d+)(?: |$)")
PATIENCE_SECONDS = 20


@dataclass(slots=True, kw_only=True)
class Hosted:
    """A service in this process."""

    host: ServiceHost
    channel: grpc.aio.Channel
    running: asyncio.Task[None]


@pytest.fixture
async def hosted() -> AsyncIterator[Callable[..., Awaitable[Hosted]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(services: Sequence[DeferredService], *jobs: Job) -> Hosted:
            host = ServiceHost(
                name="tested", listen="127.0.0.1", journal=Journal("tested"), services=services
            )
            page_port = PagePort(name="metrics", port=0, flag="--metrics-port")
            running = asyncio.create_task(host.run(grpc_port=0, page_ports=[page_port], jobs=jobs))
            await asyncio.wait(
                {running, asyncio.ensure_future(host.serving())}, return_when="FIRST_COMPLETED"
            )
            stack.push_async_callback(_end, host, running)
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{host.grpc_port}")
            await stack.enter_async_context(channel)
            return Hosted(host=host, channel=channel, running=running)

        yield start


async def _end(host: ServiceHost, running: asyncio.Task[None]) -> None:
    host.stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await running


@dataclass(slots=True, kw_only=True)
class Running:
    """A service as a process of its own."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.ports['grpc']}"

    def url(self, port: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    async def line_with(self, words: str) -> str:
        """The next line of its log that holds ``words``."""
        assert self.process.stderr
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if words in line:
                    return line
        raise AssertionError(f"no {words!r} in:\n{''.join(self.lines)}")

    async def ended(self) -> int:
        """Its exit code; the rest of its log is in ``lines``."""
        assert self.process.stderr
        async with asyncio.timeout(PATIENCE_SECONDS):
            self.lines += (await self.process.stderr.read()).decode().splitlines(keepends=True)
            return await self.process.wait()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and give its exit code."""
        self.process.send_signal(number)
        return await self.ended()


@pytest.fixture
async def spawn() -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """Starts ``python -m prism_services.NAME …``; every process has to end, and to end well."""
    spawned: list[Running] = []

    async def start(name: str, *arguments: str, ready: str = " serving ") -> Running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"prism_services.{name}",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        running = Running(process=process)
        spawned.append(running)
        if ready:
            running.ports = {k: int(v) for k, v in PORT.findall(await running.line_with(ready))}
        return running

    yield start
    for running in spawned:
        if running.process.returncode is None:
            assert await running.end() == 0, "".join(running.lines)
        assert "Traceback" not in "".join(running.lines)
    assert not [pid for pid in (each.process.pid for each in spawned) if psutil.pid_exists(pid)]
