"""The keeper's socket from the other side: requests by method, changes as an async iterator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from prismctl.errors import RejectedError, UnavailableError
from prismctl.keeper.protocol import (
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    KeeperEvent,
    ProcessSpec,
    ProcessStatus,
    spec_to_json,
    status_from_json,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_REPLY_LIMIT: Final = 4 * MAX_LINE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperFacts:
    """Who answered ``hello``, and what it keeps."""

    pid: int
    keeper_id: str
    processes: tuple[ProcessStatus, ...]


class KeeperClient:
    """One connection to a keeper; requests may overlap. Made by ``connect``, ended by ``close``.

    Every method raises ``UnavailableError`` when the keeper is gone and ``RejectedError`` when it refuses.
    Bounds on waiting are the caller's (``asyncio.timeout``); giving up on a reply does not undo the request.
    """

    def __init__(
        self, socket_path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._socket_path = socket_path
        self._reader = reader
        self._writer = writer
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._asked_at: dict[int, float] = {}
        self._end = ""
        self._receiving = asyncio.create_task(self._receive(), name="keeper replies")

    @classmethod
    async def connect(cls, socket_path: Path | str) -> Self:
        """Connect to the keeper that listens there."""
        reader, writer = await _open(Path(socket_path))
        return cls(Path(socket_path), reader, writer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; to a keeper that knows it as the daemon's this is a death, without ``goodbye``."""
        self._receiving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._receiving
        self._fail_waiting("the connection to the keeper was closed")
        await _close(self._writer)

    @property
    def listener_pid(self) -> int:
        """Who listens at the other end, also when it does not answer; 0 where the system does not tell."""
        option = getattr(socket, "SO_PEERCRED", None)
        connection = self._writer.get_extra_info("socket")
        if option is None or connection is None:
            return 0
        credentials = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    @property
    def silent_seconds(self) -> float:
        """How long the oldest request has been waiting for its reply; 0 without one."""
        oldest = min(self._asked_at.values(), default=None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    async def wait_closed(self) -> str:
        """Return once the keeper is gone, with the reason: by this its death is noticed at once."""
        await asyncio.shield(self._receiving)
        return self._end

    async def hello(
        self,
        *,
        daemon_argv: Sequence[str] = (),
        daemon_env: Mapping[str, str] | None = None,
        daemon_cwd: str = "/",
        daemon_log: Path | str = os.devnull,
    ) -> KeeperFacts:
        """Introduce this connection; with ``daemon_argv`` that is started again should the connection break."""
        request: dict[str, Any] = {"do": "hello", "protocol": PROTOCOL_VERSION}
        if daemon_argv:
            request["daemon"] = {
                "pid": os.getpid(),
                "argv": list(daemon_argv),
                "env": dict(os.environ if daemon_env is None else daemon_env),
                "cwd": daemon_cwd,
                "log_path": str(daemon_log),
            }
        reply = await self._ask(request)
        return KeeperFacts(
            pid=reply["pid"], keeper_id=reply["keeper"], processes=_statuses(reply["processes"])
        )

    async def spawn(self, spec: ProcessSpec) -> ProcessStatus:
        """Run a process; returns once it is executed, or with ``error`` set when it cannot be."""
        return await self._ask_status({"do": "spawn", "process": spec_to_json(spec)})

    async def stop(self, key: str, *, kill: bool = False) -> ProcessStatus:
        """End a process with all its descendants; ``kill`` skips the graces. Returns once all are gone."""
        return await self._ask_status({"do": "stop", "key": key, "kill": kill})

    async def restart(self, key: str) -> ProcessStatus:
        """End a process and run it again; returns once it runs, cannot, or was stopped meanwhile."""
        return await self._ask_status({"do": "restart", "key": key})

    async def signal(self, key: str, signum: int) -> None:
        """Signal the main process."""
        await self._ask({"do": "signal", "key": key, "signal": int(signum)})

    async def list(self) -> tuple[ProcessStatus, ...]:
        """Everything that is kept, ended processes included."""
        return _statuses((await self._ask({"do": "list"}))["processes"])

    async def forget(self, key: str) -> None:
        """Drop an ended process."""
        await self._ask({"do": "forget", "key": key})

    async def shutdown(self, *, kill: bool = False) -> None:
        """End everything that is kept, in parallel, and the keeper; returns once nothing is left."""
        await self._ask({"do": "shutdown", "kill": kill})

    async def goodbye(self) -> None:
        """Leave on purpose: the keeper does not start this daemon again."""
        await self._ask({"do": "goodbye"})

    async def watch(
        self, *, registered: asyncio.Event | None = None
    ) -> AsyncIterator[tuple[KeeperEvent, ProcessStatus]]:
        """The present state (``KeeperEvent.PRESENT``, one a process), then every change as it happens.

        ``registered`` is set once the present state is taken: no change after that is missed, while one
        before it only shows as part of that state. Uses a connection of its own. A consumer that falls megabytes behind is disconnected by the keeper:
        that is an ``UnavailableError`` here, and the next ``watch`` begins with the present state again.
        """
        reader, writer = await _open(self._socket_path)
        try:
            writer.write(b'{"id":1,"do":"watch"}\n')
            reply = _checked(await self._read(reader))
            if registered is not None:
                registered.set()
            for status in _statuses(reply["processes"]):
                yield KeeperEvent.PRESENT, status
            while True:
                change = await self._read(reader)
                yield KeeperEvent(change["event"]), status_from_json(change["status"])
        finally:
            await _close(writer)

    async def _ask_status(self, request: dict[str, Any]) -> ProcessStatus:
        return status_from_json((await self._ask(request))["status"])

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._end:
            raise UnavailableError(self._end)
        self._last_id += 1
        number = self._last_id
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._asked_at[number] = time.monotonic()
        try:
            self._writer.write(_line({"id": number, **request}))
            # A broken connection shows where replies are read, with what came before it broke.
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
            return _checked(await future)
        finally:
            self._waiting.pop(number, None)
            self._asked_at.pop(number, None)

    async def _receive(self) -> None:
        end = f"the keeper at {self._socket_path} is gone"
        try:
            while True:
                reply = await self._read(self._reader)
                future = self._waiting.get(reply.get("id") or 0)
                if future is not None and not future.done():
                    future.set_result(reply)
        except UnavailableError as error:
            end = error.message
        finally:
            self._fail_waiting(end)

    def _fail_waiting(self, reason: str) -> None:
        self._end = self._end or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(UnavailableError(self._end))

    async def _read(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        try:
            line = await reader.readline()
            message = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"the keeper at {self._socket_path} does not answer: {error}"
            ) from error
        if not isinstance(message, dict):
            raise UnavailableError(f"the keeper at {self._socket_path} is gone")
        return message


async def _open(socket_path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(socket_path, limit=_REPLY_LIMIT)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnavailableError(f"no keeper answers at {socket_path}: {reason}") from error


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    if not reply.get("ok"):
        words = str(reply.get("error") or "the keeper refused without a reason")
        raise RejectedError(words, hint=str(reply.get("hint") or ""))
    return reply


def _statuses(items: Sequence[dict[str, Any]]) -> tuple[ProcessStatus, ...]:
    return tuple(status_from_json(item) for item in items)


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
