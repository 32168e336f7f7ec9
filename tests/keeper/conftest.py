"""A real keeper for each test, and the assurance that nothing of it is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.errors import PrismError
from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import KeeperPlace, start_keeper
from prismctl.keeper.protocol import (
    KEEPER_ID_VARIABLE,
    KeeperEvent,
    ProcessSpec,
    ProcessStatus,
    StopStep,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

QUICK_STOP = (StopStep(signal=signal.SIGTERM, grace_seconds=5.0),)
_PATIENCE_SECONDS = 30.0


class RunningKeeper:
    """A keeper in a directory of its own, with a client and everything its watcher was told."""

    def __init__(self, place: KeeperPlace, pid: int, client: KeeperClient) -> None:
        self.place = place
        self.pid = pid
        self.client = client
        self.directory = place.log_path.parent
        self.told: list[tuple[KeeperEvent, ProcessStatus]] = []
        self._new: deque[tuple[KeeperEvent, ProcessStatus]] = deque()
        self._arrived = asyncio.Condition()
        self.is_watching = asyncio.Event()

    def spec(self, key: str, *argv: str, **changes: Any) -> ProcessSpec:
        values: dict[str, Any] = {
            "key": key,
            "argv": argv,
            "env": {"PATH": os.environ["PATH"], "HERE": str(self.directory)},
            "cwd": str(self.directory),
            "log_path": str(self.directory / "logs" / f"{key}.log"),
            "stop": QUICK_STOP,
        }
        return ProcessSpec(**{**values, **changes})

    def shell(self, key: str, script: str, **changes: Any) -> ProcessSpec:
        return self.spec(key, "sh", "-c", script, **changes)

    def python(self, key: str, script: str, **changes: Any) -> ProcessSpec:
        return self.spec(key, sys.executable, "-I", "-S", "-c", script, **changes)

    def log_bytes(self, key: str) -> bytes:
        """All files of a log, oldest first."""
        path = self.directory / "logs" / f"{key}.log"
        numbers = sorted(
            (int(p.suffix[1:]) for p in path.parent.glob(f"{key}.log.[0-9]*")), reverse=True
        )
        names = [*(f"{path}.{number}" for number in numbers), str(path)]
        return b"".join(Path(name).read_bytes() for name in names if Path(name).exists())

    def own_log(self) -> str:
        return self.place.log_path.read_text()

    async def collect(self) -> None:
        with contextlib.suppress(PrismError):
            async for change in self.client.watch(registered=self.is_watching):
                async with self._arrived:
                    self.told.append(change)
                    self._new.append(change)
                    self._arrived.notify_all()

    async def event(self, wanted: KeeperEvent, key: str) -> ProcessStatus:
        """The next change of that kind; what comes before it is passed over."""
        async with asyncio.timeout(_PATIENCE_SECONDS), self._arrived:
            while True:
                while self._new:
                    event, status = self._new.popleft()
                    if event is wanted and status.key == key:
                        return status
                await self._arrived.wait()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a fact that only shows when it is looked for."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - other processes notify nobody
                await asyncio.sleep(0.005)

    def wait(self) -> int:
        """The keeper's exit code, once it has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def marked(self) -> list[int]:
        """Every living process that this keeper started, by its mark."""
        mark = f"{KEEPER_ID_VARIABLE}={self.place.keeper_id}".encode()
        return [pid for pid in _pids() if mark in _read(f"/proc/{pid}/environ").split(b"\0")]

    async def pid_in(self, name: str) -> int:
        """The PID that a process wrote into a file of the directory."""
        path = self.directory / name
        await self.until(lambda: path.exists() and path.read_text().endswith("\n"))
        return int(path.read_text())


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, because a socket's path is limited."""
    path = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
    yield path
    left = [pid for pid in _pids() if str(path).encode() in _read(f"/proc/{pid}/cmdline")]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path)
    assert not left, f"left running: {left}"


@pytest.fixture
def place(directory: Path) -> KeeperPlace:
    return KeeperPlace(
        directory / "keeper.sock",
        directory / "keeper.lock",
        directory / "keeper.log",
        str(uuid.uuid4()),
    )


@pytest.fixture
async def keeper(place: KeeperPlace) -> AsyncIterator[RunningKeeper]:
    pid = start_keeper(place)
    client = await KeeperClient.connect(place.socket_path)
    running = RunningKeeper(place, pid, client)
    collecting = asyncio.create_task(running.collect())
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await running.is_watching.wait()
    try:
        yield running
    finally:
        with contextlib.suppress(PrismError):
            await client.shutdown(kill=True)
        await client.close()
        collecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collecting
        wait_for_child(pid)
        await running.until(lambda: not running.marked())


def wait_for_child(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def is_alive(pid: int) -> bool:
    state = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return bool(state) and state[0] not in (b"Z", b"X")


@pytest.fixture
def alive() -> Callable[[int], bool]:
    return is_alive


@pytest.fixture
def reap() -> Callable[[int], None]:
    return wait_for_child


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
