"""The nomad engine: agents up, plan in, observations out; each step is done by a module of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from prismctl.engine.nomad.agents import Agents
from prismctl.engine.nomad.applied import prepare
from prismctl.engine.nomad.configuration import CONSUL_KEY, NOMAD_KEY
from prismctl.engine.nomad.job import instance_keys
from prismctl.engine.nomad.job_submission import JobSubmission
from prismctl.engine.nomad.readiness import ReadinessRelay
from prismctl.engine.nomad.recovery import Recovery
from prismctl.engine.nomad.restarting import restart_instances
from prismctl.engine.nomad.roster import Roster
from prismctl.engine.nomad.shutdown import end_services
from prismctl.engine.nomad.watching import InstanceWatch
from prismctl.errors import DeadlineError, PrismError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Readiness, Reporter
    from prismctl.engine.nomad.applied import AppliedPlan
    from prismctl.engine.nomad.tools import NomadTools
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient


class NomadEngine:
    """Runs the services of a plan as Nomad jobs."""

    def __init__(
        self,
        paths: StackPaths,
        keeper: KeeperClient,
        reporter: Reporter,
        readiness: Readiness,
        tools: NomadTools,
    ) -> None:
        self._paths = paths
        self._changing = asyncio.Lock()
        self._is_open = False
        self._agents = Agents(paths, keeper, reporter, tools)
        self._roster = Roster()
        self._jobs = JobSubmission(self._agents)
        changed = asyncio.Event()
        self._relay = ReadinessRelay(readiness, self._agents, changed)
        self._watch = InstanceWatch(self._agents, self._roster, self._relay, reporter, changed)
        self._recovery = Recovery(
            self._agents,
            reporter,
            self._changing,
            on_loss=self._take_note_of_loss,
            hand_over_again=self._hand_over_again,
        )

    async def open(self) -> None:
        """Bring up Consul and Nomad, adopting what runs, and begin to watch.

        Raises:
            PrismError: an agent did not come up; nothing of it is left.
        """
        async with self._changing:
            if self._is_open:
                return
            await self._agents.open()
            self._watch.open()
            self._recovery.begin()
            self._is_open = True

    async def apply(self, plan: StackPlan, *, spared: Collection[ServiceName] = ()) -> None:
        """Hand the plan over to Nomad; what is the same already is not disturbed.

        Raises:
            PrismError: a command cannot be made, or Nomad refused the job.
        """
        async with self._changing:
            await self._relay.end()
            applied = await self._prepare(plan)
            await self._jobs.submit(applied)
            await self._watch.placements.refresh(self._agents.nomad)
            await self._jobs.place_failed_again(applied, self._watch.placements, spared)
            self._relay.begin(plan)
            self._watch.request_listing()

    async def _prepare(self, plan: StackPlan) -> AppliedPlan:
        consul_port = self._agents.ports.consul_http
        try:
            # What is leaving and comes back must not take with it what is written here.
            with self._roster.expecting(instance_keys(plan)):
                applied = await asyncio.to_thread(prepare, plan, self._paths, consul_port)
                self._roster.replace(applied)
        finally:
            self._watch.request_listing()
        return applied

    async def restart(self, services: Sequence[ServiceName]) -> None:
        """Stop and start the named services' instances; returns once new processes run.

        Raises:
            PrismError: Nomad refused, or a new process did not appear.
        """
        async with self._changing:
            applied = self._roster.require()
            await self._relay.end()
            missing = await restart_instances(
                services, applied, self._agents.nomad, self._jobs, self._watch
            )
            self._relay.begin(applied.plan)
            if missing:
                raise DeadlineError(
                    f"no new process of {', '.join(missing)} appeared",
                    hint=f"`prismctl dev logs {missing[0]}` shows what it printed",
                )

    async def stop(self, *, kill: bool) -> None:
        """End all services in reverse dependency order, then Nomad, then Consul; nothing is left.

        Raises:
            PrismError: something would not go.
        """
        self._watch.begin_ending()
        async with self._changing:
            await self._relay.end()
            await self._recovery.end()
            if not kill and self._is_open and not self._agents.find_lost():
                # Whatever does not end in good order is killed below.
                with contextlib.suppress(PrismError):
                    if self._roster.applied is not None:
                        await end_services(self._roster.applied, self._jobs, self._watch)
                    await self._agents.end()
            await self._watch.close()
            await self._agents.end_now()
            await self._watch.logs.finish_all()
            await self._watch.logs.close()
            self._watch.report_all_stopped()
            self._roster.clear()
            await self._agents.close()
            self._is_open = False
            self._agents.report_stopped()

    async def close(self) -> None:
        """Let go of everything without stopping anything."""
        await self._relay.end()
        await self._recovery.end()
        await self._watch.close()
        await self._watch.logs.close()
        await self._agents.close()
        self._agents.release_ports()
        self._is_open = False

    async def login_url(self, ui: str) -> str:
        """Where one of the two user interfaces is open and logged in; Nomad's address is good once.

        Raises:
            PrismError: there is no such user interface, or Nomad does not answer.
        """
        if ui == NOMAD_KEY:
            token = await self._agents.nomad.make_one_time_token()
            return f"{self._agents.ports.nomad_address}/ui/?ott={token}"
        if ui == CONSUL_KEY:
            return f"{self._agents.ports.consul_address}/ui/"
        raise PrismError(
            f"the nomad engine has no user interface called `{ui}`",
            hint="`prismctl dev ui nomad` or `prismctl dev ui consul`",
        )

    def environment(self) -> dict[str, str]:
        """What a shell needs so that `nomad` and `consul` typed by hand just work."""
        if not self._is_open:
            return {}
        ports, credentials = self._agents.ports, self._agents.credentials
        return {
            "NOMAD_ADDR": ports.nomad_address,
            "NOMAD_TOKEN": credentials.nomad_management,
            "CONSUL_HTTP_ADDR": ports.consul_address,
            "CONSUL_HTTP_TOKEN": credentials.consul_management,
            "PRISM_CONSUL_DNS_PORT": str(ports.consul_dns),
        }

    def endpoints(self) -> dict[str, str]:
        """Both user interfaces, without credentials."""
        if not self._is_open:
            return {}
        ports = self._agents.ports
        return {
            "nomad_ui": f"{ports.nomad_address}/ui/",
            "consul_ui": f"{ports.consul_address}/ui/",
        }

    def _take_note_of_loss(self, lost: set[str]) -> None:
        if NOMAD_KEY in lost:
            self._watch.lose_nomad()

    async def _hand_over_again(self, lost: set[str]) -> None:
        """Tell agents that came back, and know of nothing, what there is.

        Raises:
            PrismError: one does not answer, or refused.
        """
        if NOMAD_KEY in lost:
            await self._watch.begin_anew()
        if CONSUL_KEY in lost:
            self._jobs.register_anew()
        if self._roster.applied is not None:
            await self._jobs.submit(self._roster.applied)
            await self._relay.end()
            self._relay.begin(self._roster.applied.plan)
        self._watch.request_listing()
