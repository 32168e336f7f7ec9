"""The two agents of a stack: brought up, adopted, watched, brought back, taken down; the keeper is their parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from prismctl.domain.events import EventKind
from prismctl.domain.observation import ComponentObservation, ComponentState
from prismctl.engine.nomad.client import (
    ConsulClient,
    NomadClient,
    ask_until_answered,
)
from prismctl.engine.nomad.configuration import (
    CONSUL_KEY,
    NOMAD_KEY,
    render_agent_environment,
    render_consul_configuration,
    render_consul_process,
    render_nomad_configuration,
    render_nomad_process,
)
from prismctl.engine.nomad.consul_acl import ensure_access
from prismctl.engine.nomad.credentials import Credentials, ensure_credentials
from prismctl.engine.nomad.layout import AgentLayout
from prismctl.engine.nomad.ports import (
    AgentPorts,
    PortReservations,
    ensure_agent_ports,
    find_taken_ports,
    load_agent_ports,
)
from prismctl.engine.nomad.processes import ProcessId, is_alive, wait_until_gone
from prismctl.engine.nomad.sweep import Swept, sweep
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.files.atomic import write_atomically
from prismctl.keeper.protocol import ProcessState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from prismctl.engine.interface import Reporter
    from prismctl.engine.nomad.tools import NomadTools
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient
    from prismctl.keeper.protocol import ProcessSpec

START_SECONDS: Final = 30.0
"""How long an agent may take to get ready; on two busy cores Nomad has needed six."""
ADOPT_SECONDS: Final = 5.0
"""How long an agent that already runs may take to answer before it counts as broken."""
POLL_SECONDS: Final = 0.02
"""Between questions to an agent that comes up; nothing can notify."""
END_SECONDS: Final = 10.0
"""How long an agent may take to end beyond what its services were promised."""

PORT_ATTEMPTS: Final = 5
"""Between finding a port free and an agent's taking it, somebody else may: then other ports are chosen."""
_LAST_LINES: Final = 20

TITLES: Final = {CONSUL_KEY: "Consul", NOMAD_KEY: "Nomad"}


class PortTakenError(UnavailableError):
    """An agent could not have a port that was free a moment before."""


class Agents:
    """Consul and Nomad of one stack."""

    def __init__(
        self, paths: StackPaths, keeper: KeeperClient, reporter: Reporter, tools: NomadTools
    ) -> None:
        self.layout = AgentLayout(paths)
        self._keeper = keeper
        self._reporter = reporter
        self._tools = tools
        self._processes: dict[str, ProcessId] = {}
        self._ports: AgentPorts | None = None
        self._reservations = PortReservations()
        self._credentials: Credentials | None = None
        self._nomad: NomadClient | None = None
        self._consul: ConsulClient | None = None

    @property
    def ports(self) -> AgentPorts:
        """Where the agents listen.

        Raises:
            UnavailableError: they have not been brought up.
        """
        if self._ports is None:
            raise _not_open()
        return self._ports

    @property
    def credentials(self) -> Credentials:
        """The agents' secrets.

        Raises:
            UnavailableError: they have not been brought up.
        """
        if self._credentials is None:
            raise _not_open()
        return self._credentials

    @property
    def nomad(self) -> NomadClient:
        """Nomad's client.

        Raises:
            UnavailableError: it has not been brought up.
        """
        if self._nomad is None:
            raise _not_open()
        return self._nomad

    @property
    def consul(self) -> ConsulClient:
        """Consul's client.

        Raises:
            UnavailableError: it has not been brought up.
        """
        if self._consul is None:
            raise _not_open()
        return self._consul

    async def open(self) -> None:
        """Adopt the agents that run, start those that do not.

        Raises:
            PrismError: one did not come up; nothing of either is left.
        """
        running = {
            status.key: ProcessId(status.pid, status.start_ticks)
            for status in await self._keeper.list()
            if status.state is ProcessState.RUNNING and status.pid is not None
        }
        # The keeper may not have taken note yet of an end that the kernel already knows.
        self._processes = {
            key: running[key] for key in TITLES if key in running and is_alive(running[key])
        }
        recorded = load_agent_ports(self.layout.ports)
        if self._processes and recorded is not None:
            await self._connect(recorded)
            with contextlib.suppress(PrismError):
                await self._adopt()
                return
        await self._start_afresh()

    async def _adopt(self) -> None:
        """Take over what runs and start what is missing.

        Raises:
            PrismError: what runs does not answer as ours.
        """
        if CONSUL_KEY in self._processes:
            await ask_until_answered(ADOPT_SECONDS, self.consul.has_leader)
            self._observe(CONSUL_KEY, ComponentState.READY)
        else:
            await self.start_consul()
        if NOMAD_KEY in self._processes:
            secret = self.credentials.nomad_management
            await ask_until_answered(ADOPT_SECONDS, lambda: self.nomad.bootstrap(secret))
            self._observe(NOMAD_KEY, ComponentState.READY)
        else:
            await self.sweep()
            await self.start_nomad()

    async def _start_afresh(self) -> None:
        await self.end_now()
        for attempt in range(PORT_ATTEMPTS):
            ports = await asyncio.to_thread(
                ensure_agent_ports, self.layout.ports, self._reservations
            )
            await self._connect(ports)
            try:
                await self.start_consul()
                await self.start_nomad()
            except PortTakenError:
                await self._give_up()
                if attempt + 1 == PORT_ATTEMPTS:
                    raise
            except BaseException:
                # A cancelled start leaves as little behind as a failed one.
                await asyncio.shield(self._give_up())
                raise
            else:
                return

    async def _give_up(self) -> None:
        with contextlib.suppress(PrismError):
            await self.end_now()
        # Whoever took a port in between shall not be in the way the next time.
        self.layout.ports.unlink(missing_ok=True)

    async def _connect(self, ports: AgentPorts) -> None:
        await self.close()
        self._ports = ports
        self._credentials = ensure_credentials(self.layout.credentials)
        self._consul = ConsulClient(ports.consul_address, self._credentials.consul_management)
        self._nomad = NomadClient(ports.nomad_address, self._credentials.nomad_management)

    async def start_consul(self) -> None:
        """Start Consul and return once it takes writes and everybody's rights are settled.

        Raises:
            PrismError: it did not come up.
        """
        _save(
            self.layout.consul_configuration,
            render_consul_configuration(self.ports, self.credentials),
        )
        environment = render_agent_environment(os.environ, self.layout.directory)
        spec = render_consul_process(self._tools, self.layout, environment)

        async def get_ready() -> None:
            await ask_until_answered(
                START_SECONDS,
                lambda: ensure_access(self.consul, self.credentials),
                pause_seconds=POLL_SECONDS / 2,
            )

        await self._bring_up(spec, get_ready)

    async def start_nomad(self) -> None:
        """Start Nomad, on nothing, and return once it can run commands and only we may tell it to.

        Raises:
            PrismError: it did not come up.
        """
        self.layout.nomad_data.mkdir(mode=0o711, parents=True, exist_ok=True)
        _save(
            self.layout.nomad_configuration,
            render_nomad_configuration(self.ports, self.credentials),
        )
        environment = render_agent_environment(os.environ, self.layout.directory)
        spec = render_nomad_process(self._tools, self.layout, environment)

        async def get_ready() -> None:
            secret = self.credentials.nomad_management
            await ask_until_answered(
                START_SECONDS, lambda: self.nomad.bootstrap(secret), pause_seconds=POLL_SECONDS
            )
            await ask_until_answered(
                START_SECONDS, self._require_ready_node, pause_seconds=POLL_SECONDS
            )

        await self._bring_up(spec, get_ready)

    async def _require_ready_node(self) -> None:
        nodes = await self.nomad.list_nodes()
        if not any(node.is_ready and node.has_raw_exec for node in nodes):
            raise UnavailableError(
                "Nomad runs, but its node is not ready to run commands",
                hint=f"`tail {self.layout.nomad_log}` shows what it is doing",
            )

    async def _bring_up(self, spec: ProcessSpec, get_ready: Callable[[], Awaitable[None]]) -> None:
        self._observe(spec.key, ComponentState.STARTING)
        began_at = time.monotonic()
        status = await self._keeper.spawn(spec)
        if status.pid is None or status.error:
            raise UnavailableError(
                f"{TITLES[spec.key]} could not be started: {status.error or status.state.value}",
                hint="`prismctl dev version` shows which program that is",
            )
        process = ProcessId(status.pid, status.start_ticks)
        self._processes[spec.key] = process
        ready = asyncio.ensure_future(get_ready())
        gone = asyncio.ensure_future(wait_until_gone(process))
        try:
            await asyncio.wait({ready, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise await self._ended_while_starting(spec.key)
            await ready
        finally:
            for task in (ready, gone):
                task.cancel()
            await asyncio.gather(ready, gone, return_exceptions=True)
        self._observe(spec.key, ComponentState.READY, seconds=time.monotonic() - began_at)

    async def _ended_while_starting(self, key: str) -> UnavailableError:
        # Once the keeper has let go of it, all that it said is in the log.
        await self._settle(key)
        log = self.layout.consul_log if key == CONSUL_KEY else self.layout.nomad_log
        words = _last_words(log)
        kind = PortTakenError if "address already in use" in words else UnavailableError
        return kind(
            f"{TITLES[key]} ended while starting: {words}",
            hint=f"`tail {log}` shows all of what it said",
        )

    async def wait_until_lost(self) -> set[str]:
        """Return as soon as an agent is gone, with the names of all that are."""
        waits = [
            asyncio.ensure_future(wait_until_gone(process)) for process in self._processes.values()
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return self.find_lost()

    def find_lost(self) -> set[str]:
        """The agents that should run and do not."""
        return {
            key
            for key in TITLES
            if key not in self._processes or not is_alive(self._processes[key])
        }

    def forget_lost(self, keys: set[str]) -> None:
        """Take note that agents are gone, and say so."""
        for key in keys:
            if self._processes.pop(key, None) is None:
                continue
            self._observe(key, ComponentState.LOST, message=f"{TITLES[key]} ended unexpectedly")
            self._reporter.note(EventKind.COMPONENT_LOST, key, f"{TITLES[key]} ended unexpectedly")

    def report_lost(self, keys: set[str], message: str) -> None:
        """Say why agents that are gone stay gone."""
        for key in keys:
            self._observe(key, ComponentState.LOST, message=message)

    async def bring_back(self) -> None:
        """Start the agents that are gone, on the ports they had; Nomad starts with nothing.

        Raises:
            PrismError: one did not come up.
        """
        if CONSUL_KEY not in self._processes:
            await self._settle(CONSUL_KEY)
            await self._start_or_end(CONSUL_KEY, self.start_consul)
        if NOMAD_KEY not in self._processes:
            await self.sweep()
            await self._start_or_end(NOMAD_KEY, self.start_nomad)

    async def _start_or_end(self, key: str, start: Callable[[], Awaitable[None]]) -> None:
        try:
            await start()
        except BaseException:
            self._processes.pop(key, None)
            with contextlib.suppress(PrismError):
                await asyncio.shield(self._settle(key))
            raise

    async def sweep(self) -> Swept:
        """Remove what a Nomad that is gone left behind, and say so.

        Raises:
            PrismError: something would not go.
        """
        await self._settle(NOMAD_KEY)
        swept = await sweep(self.layout, spare=self._spared())
        if swept:
            self._reporter.note(EventKind.SWEPT, NOMAD_KEY, f"Nomad's leftovers: {swept}")
        return swept

    def _spared(self) -> set[int]:
        consul = self._processes.get(CONSUL_KEY)
        return {consul.pid} if consul else set()

    async def _settle(self, key: str) -> None:
        """Have the keeper end whatever it still has of an agent; without a keeper, the sweep does."""
        with contextlib.suppress(RejectedError, UnavailableError):
            await self._keeper.stop(key, kill=True)

    async def end(self, *, grace_seconds: float) -> None:
        """Ask Nomad to end its tasks and itself, then Consul; kill what does not.

        Raises:
            PrismError: something would not go.
        """
        for key, seconds in ((NOMAD_KEY, grace_seconds + END_SECONDS), (CONSUL_KEY, END_SECONDS)):
            process = self._processes.get(key)
            if process is None:
                continue
            with contextlib.suppress(RejectedError, UnavailableError):
                # Only the agent itself: the helpers that carry its tasks' output are in its process group.
                await self._keeper.signal(key, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await wait_until_gone(process)

    async def end_now(self) -> None:
        """Kill whatever runs of both, and remove every trace but ports and secrets.

        Raises:
            PrismError: something would not go.
        """
        await self._settle(NOMAD_KEY)
        await self._settle(CONSUL_KEY)
        self._processes.clear()
        swept = await sweep(self.layout)
        if swept:
            self._reporter.note(EventKind.SWEPT, NOMAD_KEY, f"Nomad's leftovers: {swept}")
        for path in (self.layout.nomad_configuration, self.layout.consul_configuration):
            path.unlink(missing_ok=True)

    def report_stopped(self) -> None:
        """Say that both agents are gone.

        Raises:
            PrismError: somebody still holds one of their ports.
        """
        for key in TITLES:
            self._observe(key, ComponentState.STOPPED)
        taken = find_taken_ports(self.ports) if self._ports else []
        self.release_ports()
        if taken:
            numbers = ", ".join(map(str, taken))
            raise PrismError(
                f"the agents are gone, and something still holds their ports: {numbers}",
                hint=f"`ss -ltnup | grep -E '{'|'.join(map(str, taken))}'` shows what",
            )

    async def close(self) -> None:
        """Let go of both without stopping them."""
        for client in (self._nomad, self._consul):
            if client is not None:
                await client.close()

    def release_ports(self) -> None:
        """Let others have the agents' ports."""
        self._reservations.keep_only(None)

    def _observe(
        self, key: str, state: ComponentState, *, message: str = "", seconds: float | None = None
    ) -> None:
        process = self._processes.get(key)
        self._reporter.observe(
            ComponentObservation(
                name=key,
                state=state,
                pid=process.pid if process else None,
                message=message,
                seconds=seconds,
            )
        )


def _save(path: Path, configuration: object) -> None:
    write_atomically(path, json.dumps(configuration, indent=1) + "\n")


def _last_words(log: Path) -> str:
    """The last error an agent wrote, else its last line, without the keeper's time stamp."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    texts = [line.split(" ", 3)[-1].strip() for line in lines[-_LAST_LINES:]]
    errors = [text for text in texts if "[ERROR]" in text or "==> Error" in text]
    return next(reversed(errors or texts), "it said nothing")


def _not_open() -> UnavailableError:
    return UnavailableError(
        "Nomad and Consul do not run", hint="`prismctl dev start` brings them up"
    )
