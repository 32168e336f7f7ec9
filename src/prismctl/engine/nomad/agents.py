"""The two agents of a stack: adopted or started, watched, brought back, taken down; the keeper is their parent."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Final

from prismctl.domain.events import EventKind
from prismctl.domain.observation import ComponentObservation, ComponentState
from prismctl.engine.nomad.agent_http import ask_until_answered
from prismctl.engine.nomad.bring_up import AgentPortTakenError, BringUp
from prismctl.engine.nomad.configuration import CONSUL_KEY, NOMAD_KEY, TITLES
from prismctl.engine.nomad.connection import Connection
from prismctl.engine.nomad.credentials import ensure_credentials
from prismctl.engine.nomad.layout import AgentLayout
from prismctl.engine.nomad.ports import (
    AgentPorts,
    PortReservations,
    ensure_agent_ports,
    load_agent_ports,
    require_released,
)
from prismctl.engine.nomad.processes import (
    ProcessId,
    is_alive,
    wait_until_gone,
    wait_until_one_is_gone,
)
from prismctl.engine.nomad.stop_order import FAST_END_SECONDS
from prismctl.engine.nomad.sweep import sweep
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.keeper.protocol import ProcessState

if TYPE_CHECKING:
    from prismctl.engine.interface import Reporter
    from prismctl.engine.nomad.client import ConsulClient, NomadClient
    from prismctl.engine.nomad.credentials import Credentials
    from prismctl.engine.nomad.tools import NomadTools
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient

ADOPT_SECONDS: Final = 5.0
"""How long an agent that already runs may take to answer before it counts as broken."""
END_SECONDS: Final = 10.0
"""How long an agent may take to end beyond what its tasks were promised."""
PORT_ATTEMPTS: Final = 5
"""Between finding a port free and an agent's taking it, somebody else may: then other ports are chosen."""


class Agents:
    """Consul and Nomad of one stack."""

    def __init__(
        self, paths: StackPaths, keeper: KeeperClient, reporter: Reporter, tools: NomadTools
    ) -> None:
        self.layout = AgentLayout(paths)
        self._keeper = keeper
        self._reporter = reporter
        self._bring_up = BringUp(self.layout, keeper, tools)
        self._processes: dict[str, ProcessId] = {}
        self._reservations = PortReservations()
        self._connected: Connection | None = None

    @property
    def _connection(self) -> Connection:
        if self._connected is None:
            raise UnavailableError(
                "Nomad and Consul do not run", hint="`prismctl dev start` brings them up"
            )
        return self._connected

    @property
    def ports(self) -> AgentPorts:
        """Where the agents listen.

        Raises:
            UnavailableError: they have not been brought up.
        """
        return self._connection.ports

    @property
    def credentials(self) -> Credentials:
        """The agents' secrets.

        Raises:
            UnavailableError: they have not been brought up.
        """
        return self._connection.credentials

    @property
    def nomad(self) -> NomadClient:
        """Nomad's client.

        Raises:
            UnavailableError: it has not been brought up.
        """
        return self._connection.nomad

    @property
    def consul(self) -> ConsulClient:
        """Consul's client.

        Raises:
            UnavailableError: it has not been brought up.
        """
        return self._connection.consul

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
            # What cannot be taken over, for whatever reason, is replaced.
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
            await ask_until_answered(ADOPT_SECONDS, self.consul.require_leader)
            self._observe(CONSUL_KEY, ComponentState.READY)
        else:
            await self._start(CONSUL_KEY)
        if NOMAD_KEY in self._processes:
            secret = self.credentials.nomad_management
            await ask_until_answered(ADOPT_SECONDS, lambda: self.nomad.bootstrap(secret))
            self._observe(NOMAD_KEY, ComponentState.READY)
        else:
            await self._bring_up.end(NOMAD_KEY)
            await self._sweep()
            await self._start(NOMAD_KEY)

    async def _start_afresh(self) -> None:
        await self.end_now()
        for attempt in range(PORT_ATTEMPTS):
            ports = await asyncio.to_thread(
                ensure_agent_ports, self.layout.ports, self._reservations
            )
            await self._connect(ports)
            try:
                await self._start(CONSUL_KEY)
                await self._start(NOMAD_KEY)
            except AgentPortTakenError:
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
        # Whoever took a port in between shall not be in the way the next time, and what they may have heard is worth nothing.
        self.layout.ports.unlink(missing_ok=True)
        self.layout.credentials.unlink(missing_ok=True)

    async def _connect(self, ports: AgentPorts) -> None:
        await self.close()
        self._connected = Connection.make(ports, ensure_credentials(self.layout.credentials))

    async def _start(self, key: str, *, is_told: bool = True) -> None:
        start = {CONSUL_KEY: self._bring_up.start_consul, NOMAD_KEY: self._bring_up.start_nomad}[
            key
        ]
        self._observe(key, ComponentState.STARTING)
        began_at = time.monotonic()
        self._processes[key] = await start(self._connection)
        if is_told:
            self._observe(key, ComponentState.READY, seconds=time.monotonic() - began_at)

    async def wait_until_lost(self) -> set[str]:
        """Return as soon as an agent is gone, with the names of all that are."""
        await wait_until_one_is_gone(self._processes.values())
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

    def report_lost(self, keys: set[str], message: str) -> None:
        """Say why agents that are gone stay gone."""
        for key in keys:
            self._observe(key, ComponentState.LOST, message=message)

    def report_back(self, keys: set[str], seconds: float) -> None:
        """Say that agents are back and know again what there is: before that, nothing can be had of them."""
        for key in keys:
            # Services end with Nomad; of Consul's end none of them notices.
            is_anew = key == NOMAD_KEY
            message = "brought back; everything that ran was started anew" if is_anew else ""
            self._observe(
                key,
                ComponentState.READY,
                message=message or "brought back",
                seconds=seconds,
                is_anew=is_anew,
            )

    async def bring_back(self) -> None:
        """Start the agents that are gone, on the ports they had; Nomad starts with nothing, and `report_back` tells.

        Raises:
            PrismError: one did not come up.
        """
        if CONSUL_KEY not in self._processes:
            await self._bring_up.end(CONSUL_KEY)
            await self._start(CONSUL_KEY, is_told=False)
        if NOMAD_KEY not in self._processes:
            await self._bring_up.end(NOMAD_KEY)
            await self._sweep()
            await self._start(NOMAD_KEY, is_told=False)

    async def _sweep(self) -> None:
        """Remove what a Nomad that is gone left behind, and say so.

        Raises:
            PrismError: something would not go.
        """
        # Consul may run on, and bears the same mark.
        consul = self._processes.get(CONSUL_KEY)
        swept = await sweep(self.layout, spare={consul.pid} if consul else set())
        if swept:
            self._reporter.note(EventKind.SWEPT, NOMAD_KEY, f"Nomad's leftovers: {swept}")

    async def end(self) -> None:
        """Ask Nomad to end its tasks and itself, then Consul; what takes too long is left running."""
        nomad_seconds = FAST_END_SECONDS + END_SECONDS
        for key, seconds in ((NOMAD_KEY, nomad_seconds), (CONSUL_KEY, END_SECONDS)):
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
        await self._bring_up.end(NOMAD_KEY)
        await self._bring_up.end(CONSUL_KEY)
        self._processes.clear()
        await self._sweep()
        for path in (self.layout.nomad_configuration, self.layout.consul_configuration):
            path.unlink(missing_ok=True)

    def report_stopped(self) -> None:
        """Say that both agents are gone.

        Raises:
            PrismError: somebody still holds one of their ports.
        """
        for key in TITLES:
            self._observe(key, ComponentState.STOPPED)
        self.release_ports()
        if self._connected is not None:
            require_released(self.ports)

    async def close(self) -> None:
        """Let go of both without stopping them."""
        if self._connected is not None:
            await self._connected.close()

    def release_ports(self) -> None:
        """Let others have the agents' ports."""
        self._reservations.keep_only(None)

    def _observe(
        self,
        key: str,
        state: ComponentState,
        *,
        message: str = "",
        seconds: float | None = None,
        is_anew: bool = False,
    ) -> None:
        process = self._processes.get(key)
        self._reporter.observe(
            ComponentObservation(
                name=key,
                state=state,
                pid=process.pid if process else None,
                message=message,
                seconds=seconds,
                is_anew=is_anew,
            )
        )
