"""Servers that talk as told, and the question that is put to them."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from prismctl.domain.observation import InstanceKey, ProbeResult
from prismctl.domain.service import CheckType, ServiceName
from prismctl.probes.question import Question
from prismctl.probes.scheduler import ProbeScheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

KEY = InstanceKey(ServiceName("subject"), 0)


def question(check: CheckType | None, **fields: Any) -> Question:
    fields.setdefault("timeout_seconds", 0.5)
    fields.setdefault("run", "1")
    return Question(key=KEY, type=check, **fields)


async def ask_once(asked: Question) -> ProbeResult:
    """The first answer the scheduler reports."""
    answers: asyncio.Queue[ProbeResult] = asyncio.Queue()
    async with ProbeScheduler(answers.put_nowait) as scheduler:
        scheduler.ask(asked)
        async with asyncio.timeout(20):
            return await answers.get()


@asynccontextmanager
async def serving(converse: Conversation) -> AsyncIterator[int]:
    """The port of a server that talks as told."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(*parts: bytes, pause: float = 0.0) -> Conversation:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)

    return converse


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
