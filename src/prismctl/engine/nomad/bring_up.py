"""How an agent is started: its configuration, its process, and the moment from which it is of use."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

from prismctl.engine.nomad.agent_http import PAUSE_SECONDS, ask_until_answered
from prismctl.engine.nomad.certificates import CertificateMaker, ensure_certificate
from prismctl.engine.nomad.configuration import (
    CONSUL_KEY,
    DATACENTER,
    NOMAD_KEY,
    REGION,
    TITLES,
    render_agent_environment,
    render_consul_configuration,
    render_consul_process,
    render_nomad_configuration,
    render_nomad_process,
)
from prismctl.engine.nomad.consul_acl import ensure_access
from prismctl.engine.nomad.head_start import HeadStart
from prismctl.engine.nomad.processes import ProcessId, wait_until_gone
from prismctl.engine.nomad.server_port import ServerPort
from prismctl.errors import RejectedError, UnavailableError
from prismctl.files.atomic import write_atomically
from prismctl.files.paths import ensure_private_directory
from prismctl.machine import find_listeners, is_answered_by, is_known

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from prismctl.engine.nomad.connection import Connection
    from prismctl.engine.nomad.layout import AgentLayout
    from prismctl.engine.nomad.tools import NomadTools
    from prismctl.keeper.client import KeeperClient
    from prismctl.keeper.protocol import ProcessSpec

START_SECONDS: Final = 30.0
"""How long an agent may take to get ready; on two busy cores Nomad has needed six."""
_LAST_LINES: Final = 20


class AgentPortTakenError(UnavailableError):
    """An agent could not have a port that was free a moment before."""


class BringUp:
    """Starts agents; one that does not come up is gone again when the error arrives."""

    def __init__(self, layout: AgentLayout, keeper: KeeperClient, tools: NomadTools) -> None:
        self._layout = layout
        self._keeper = keeper
        self._tools = tools

    async def prepare(self) -> None:
        """Make what both agents show to other servers, unless the stack has it.

        Raises:
            PrismError: that cannot be made.
        """
        maker = CertificateMaker(
            program=self._tools.nomad, region=REGION, consul_datacenter=DATACENTER
        )
        await ensure_certificate(self._layout.certificate, maker, self._environment())

    async def start_consul(self, connection: Connection) -> ProcessId:
        """Start Consul and return once it takes writes and everybody's rights are settled.

        Raises:
            PrismError: it did not come up.
        """
        await self.prepare()
        _save(
            self._layout.consul_configuration,
            render_consul_configuration(
                connection.ports, connection.credentials, self._layout.certificate
            ),
        )
        spec = render_consul_process(self._tools, self._layout, self._environment())

        async def get_ready(process: ProcessId) -> None:
            await _wait_until_own(process, connection.ports.consul_http, CONSUL_KEY)
            await ask_until_answered(
                START_SECONDS,
                lambda: ensure_access(connection.consul, connection.credentials),
                pause_seconds=PAUSE_SECONDS / 2,
            )

        return await self._start(spec, get_ready)

    async def start_nomad(self, connection: Connection) -> ProcessId:
        """Start Nomad, on nothing, and return once it can run commands and only we may tell it to.

        Raises:
            PrismError: it did not come up.
        """
        await self.prepare()
        self._layout.nomad_data.mkdir(mode=0o711, parents=True, exist_ok=True)
        ensure_private_directory(self._layout.plugin_sockets)
        _save(
            self._layout.nomad_configuration,
            render_nomad_configuration(
                connection.ports, connection.credentials, self._layout.certificate
            ),
        )
        spec = render_nomad_process(self._tools, self._layout, self._environment())

        port = ServerPort(connection.ports.nomad_rpc, self._layout.certificate)
        with HeadStart(self._layout.nomad_data, port) as head_start:

            async def get_ready(process: ProcessId) -> None:
                await head_start.give()
                await _wait_until_own(process, connection.ports.nomad_http, NOMAD_KEY)
                secret = connection.credentials.nomad_management
                await ask_until_answered(START_SECONDS, lambda: connection.nomad.bootstrap(secret))
                await ask_until_answered(
                    START_SECONDS, lambda: self._require_ready_node(connection)
                )

            return await self._start(spec, get_ready)

    async def end(self, key: str) -> None:
        """Have the keeper kill whatever it still has of an agent; without a keeper, the sweep does."""
        with contextlib.suppress(RejectedError, UnavailableError):
            await self._keeper.stop(key, kill=True)

    def _environment(self) -> dict[str, str]:
        return render_agent_environment(
            os.environ, self._layout.directory, self._layout.plugin_sockets
        )

    async def _require_ready_node(self, connection: Connection) -> None:
        nodes = await connection.nomad.list_nodes()
        if not any(node.is_ready and node.has_raw_exec for node in nodes):
            raise UnavailableError(
                "Nomad runs, but its node is not ready to run commands",
                hint=f"`tail {self._layout.nomad_log}` shows what it is doing",
            )

    async def _start(
        self, spec: ProcessSpec, get_ready: Callable[[ProcessId], Coroutine[Any, Any, None]]
    ) -> ProcessId:
        try:
            process = await self._spawn(spec)
            await self._wait_until_ready(spec.key, process, get_ready)
        except BaseException:
            # A cancelled start leaves as little behind as a failed one.
            await asyncio.shield(self.end(spec.key))
            raise
        return process

    async def _spawn(self, spec: ProcessSpec) -> ProcessId:
        status = await self._keeper.spawn(spec)
        if status.pid is None or status.error:
            raise UnavailableError(
                f"{TITLES[spec.key]} could not be started: {status.error or status.state.value}",
                hint="`prismctl dev version` shows which program that is",
            )
        return ProcessId(status.pid, status.start_ticks)

    async def _wait_until_ready(
        self,
        key: str,
        process: ProcessId,
        get_ready: Callable[[ProcessId], Coroutine[Any, Any, None]],
    ) -> None:
        ready = asyncio.create_task(get_ready(process))
        gone = asyncio.create_task(wait_until_gone(process))
        try:
            await asyncio.wait({ready, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                # Once the keeper has let go of it, all that it said is in the log.
                await self.end(key)
                raise self._explain_end(key)
            await ready
        finally:
            ready.cancel()
            gone.cancel()
            await asyncio.gather(ready, gone, return_exceptions=True)

    def _explain_end(self, key: str) -> UnavailableError:
        log = self._layout.consul_log if key == CONSUL_KEY else self._layout.nomad_log
        words = _last_words(log)
        kind = AgentPortTakenError if "address already in use" in words else UnavailableError
        return kind(
            f"{TITLES[key]} ended while starting: {words}",
            hint=f"`tail {log}` shows all of what it said",
        )


async def _wait_until_own(process: ProcessId, port: int, key: str) -> None:
    """Return once the agent itself listens where its secrets are about to be sent (Linux).

    Raises:
        AgentPortTakenError: somebody else does.
        UnavailableError: nobody does in time.
    """
    try:
        async with asyncio.timeout(START_SECONDS):
            while is_known():
                # In this order: the agent may begin to listen in between.
                has_listener = bool(find_listeners(port))
                if is_answered_by(process.pid, port):
                    return
                if has_listener:
                    raise AgentPortTakenError(
                        f"{TITLES[key]} could not have port {port}: somebody else listens there",
                        hint=f"`ss -ltnp sport = :{port}` shows who",
                    )
                # A bounded poll: nothing tells when an agent begins to listen.
                await asyncio.sleep(PAUSE_SECONDS)
    except TimeoutError:
        raise UnavailableError(
            f"{TITLES[key]} does not listen on port {port}",
            hint="`prismctl dev logs` shows what it is doing",
        ) from None


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
