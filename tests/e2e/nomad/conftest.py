"""A stack of its own for each test: real keeper, real Nomad and Consul, services in plain Python."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.domain.observation import (
    ComponentObservation,
    InstanceObservation,
    Phase,
)
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan
from prismctl.domain.service import (
    DEFAULT_STACK,
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
)
from prismctl.engine.nomad.engine import NomadEngine
from prismctl.engine.nomad.layout import AgentLayout
from prismctl.engine.nomad.processes import find_process, list_processes
from prismctl.engine.nomad.sweep import find_leftovers, find_mounts, sweep
from prismctl.engine.nomad.tools import NomadTools
from prismctl.errors import PrismError
from prismctl.files.paths import StackPaths
from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import KeeperPlace, start_keeper
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from prismctl.domain.events import EventKind
    from prismctl.domain.observation import Observation

PATIENCE_SECONDS = 20.0


def find_tool(name: str) -> Path | None:
    directory = os.environ.get("PRISM_TOOLS_DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "prismctl", "tools")
    for candidate in (Path(directory) / name if directory else cache / name, cache / name):
        if candidate.exists():
            return candidate.resolve()
    found = shutil.which(name)
    return Path(found) if found else None


@pytest.fixture(scope="session")
def tools() -> NomadTools:
    nomad, consul = find_tool("nomad"), find_tool("consul")
    if nomad is None or consul is None:
        pytest.fail("Nomad and Consul are not there: `make tools` builds them")
    return NomadTools(nomad=nomad, consul=consul)


class Recorder:
    """Keeps what an engine reports; waits for facts."""

    def __init__(self) -> None:
        self.instances: dict[str, InstanceObservation] = {}
        self.components: dict[str, ComponentObservation] = {}
        self.history: list[Observation] = []
        self.notes: list[tuple[str, str, str]] = []
        self._changed = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()

    def observe(self, observation: Observation) -> None:
        self.history.append(observation)
        if isinstance(observation, InstanceObservation):
            self.instances[str(observation.key)] = observation
        else:
            self.components[observation.name] = observation
        self._tell()

    def note(self, kind: EventKind, service: str, message: str) -> None:
        self.notes.append((kind.value, service, message))
        self._tell()

    def _tell(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(
        self, is_so: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(is_so)
        except TimeoutError:
            pytest.fail(
                f"not within {seconds:g} s: {what}; instances: {self.instances}, notes: {self.notes}"
            )

    async def wait_for_phase(
        self, key: str, phase: Phase, seconds: float = PATIENCE_SECONDS
    ) -> InstanceObservation:
        await self.wait_for(
            lambda: key in self.instances and self.instances[key].phase is phase,
            f"{key} {phase}",
            seconds,
        )
        return self.instances[key]

    def pid(self, key: str) -> int:
        pid = self.instances[key].pid
        assert pid is not None
        return pid


class PortReadiness:
    """Good as soon as the first port of a service accepts; a one-shot when it completed."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.plan: StackPlan | None = None

    async def wait_until_good(self, service: ServiceName) -> bool:
        key = f"{service}#0"

        def is_settled() -> bool:
            seen = self.recorder.instances.get(key)
            return seen is not None and seen.phase in {
                Phase.COMPLETED,
                Phase.FAILED,
                Phase.RUNNING,
            }

        while True:
            await self.recorder.wait_for(is_settled, f"{key} settled", 60.0)
            seen = self.recorder.instances[key]
            if seen.phase is Phase.COMPLETED:
                return True
            if seen.phase is Phase.FAILED:
                return False
            assert self.plan is not None
            planned = self.plan.service(service)
            if not planned.one_shot and (not planned.ports or accepts(planned.ports[0].number)):
                return True
            await asyncio.sleep(0.05)

    async def wait_until_started(self, service: ServiceName) -> bool:
        key = f"{service}#0"

        def is_settled() -> bool:
            seen = self.recorder.instances.get(key)
            return seen is not None and (seen.has_begun or seen.phase is Phase.FAILED)

        await self.recorder.wait_for(is_settled, f"{key} begun", 60.0)
        return self.recorder.instances[key].has_begun


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


async def wait_until(
    is_so: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)


LISTEN = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
print("listens", flush=True)
while True:
    listener.accept()[0].close()
"""


def make_service(name: str, code: str = LISTEN, **changes: Any) -> ServicePlan:
    """A Python program; with a port unless told otherwise."""
    fields: dict[str, Any] = {
        "name": ServiceName(name),
        "type": ServiceType.APPLICATION,
        "source": "test",
        "runtime": Runtime.NATIVE,
        "runtime_reason": "",
        "command": (sys.executable, "-I", "-S", "-c", code),
        "check": HealthCheck(type=CheckType.TCP),
        "stop_grace_seconds": 2.0,
    }
    if "ports" not in changes:
        fields["ports"] = (Port(name="main", number=take_port()),)
    return ServicePlan(**{**fields, **changes})


def make_plan(*services: ServicePlan) -> StackPlan:
    return StackPlan(
        stack=DEFAULT_STACK,
        engine=EngineName.NOMAD,
        engine_reason="",
        origin="test",
        services=services,
        base_env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )


class World:
    """One stack: paths, keeper, and engines as a daemon would make them."""

    service = staticmethod(make_service)
    plan = staticmethod(make_plan)
    accepts = staticmethod(accepts)
    wait_until = staticmethod(wait_until)

    def __init__(self, paths: StackPaths, keeper_pid: int, tools: NomadTools) -> None:
        self.paths = paths
        self.layout = AgentLayout(paths)
        self.keeper_pid = keeper_pid
        self.tools = tools
        self.recorder = Recorder()
        self.readiness = PortReadiness(self.recorder)
        self.engines: list[tuple[NomadEngine, KeeperClient]] = []

    async def make_engine(self) -> NomadEngine:
        keeper = await KeeperClient.connect(self.paths.keeper_socket)
        engine = NomadEngine(self.paths, keeper, self.recorder, self.readiness, self.tools)
        self.engines.append((engine, keeper))
        return engine

    async def apply(self, engine: NomadEngine, plan: StackPlan) -> None:
        self.readiness.plan = plan
        await engine.apply(plan)

    async def wait_until_accepts(self, service: ServicePlan) -> None:
        await wait_until(lambda: accepts(service.ports[0].number), f"{service.name} accepting")

    async def let_go(self, engine: NomadEngine) -> None:
        """What the death of a daemon leaves: nothing is stopped, nobody watches."""
        await engine.close()
        for known, keeper in list(self.engines):
            if known is engine:
                await keeper.close()
                self.engines.remove((known, keeper))

    def leftovers(self) -> list[str]:
        """Processes and mounts that should not be there once everything has been stopped."""
        found = [
            f"{process.id.pid} {process.command[:80]}"
            for process in find_leftovers(list_processes(), self.layout, set())
        ]
        with contextlib.suppress(OSError):
            table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
            found += find_mounts(table, self.paths.directory)
        if self.paths.plugin_sockets.exists():
            found.append(str(self.paths.plugin_sockets))
        return found


@pytest.fixture
def stack_paths(tmp_path: Path) -> StackPaths:
    paths = StackPaths(tmp_path / "run" / "default", "default")
    paths.ensure()
    return paths


@pytest.fixture
def keeper_process(stack_paths: StackPaths) -> Iterator[int]:
    pid = start_keeper(
        KeeperPlace(
            socket_path=stack_paths.keeper_socket,
            lock_path=stack_paths.keeper_lock,
            log_path=stack_paths.keeper_log,
            keeper_id=str(uuid.uuid4()),
        )
    )
    yield pid
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


@pytest.fixture
async def world(
    stack_paths: StackPaths, keeper_process: int, tools: NomadTools
) -> AsyncIterator[World]:
    made = World(stack_paths, keeper_process, tools)
    yield made
    for engine, keeper in made.engines:
        with contextlib.suppress(PrismError):
            await engine.stop(kill=True)
        await engine.close()
        await keeper.close()
    with contextlib.suppress(PrismError):
        async with await KeeperClient.connect(stack_paths.keeper_socket) as keeper:
            await keeper.shutdown(kill=True)
    await sweep(made.layout)
    await wait_until(lambda: find_process(keeper_process) is None, "the keeper gone")
    assert made.leftovers() == []
    sockets = stack_paths.socket_directory
    shutil.rmtree(stack_paths.directory.parent, ignore_errors=True)
    if sockets != stack_paths.directory:
        shutil.rmtree(sockets)
