"""What can be seen of the instances, from Nomad and from their shims, told to the reporter as it changes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.engine.nomad.applied import remove_files
from prismctl.engine.nomad.asked_restarts import AskedRestarts
from prismctl.engine.nomad.observe import fold_instance
from prismctl.engine.nomad.placements import Placements
from prismctl.engine.nomad.run_watch import RunWatch
from prismctl.engine.nomad.task_logs import TaskLogs
from prismctl.engine.nomad.tasks import Tasks
from prismctl.errors import RejectedError, UnavailableError
from prismctl.runtime.refusal import find_refusal, has_guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.domain.plan import ServicePlan
    from prismctl.engine.interface import Reporter
    from prismctl.engine.nomad.agents import Agents
    from prismctl.engine.nomad.processes import ProcessId
    from prismctl.engine.nomad.readiness import ReadinessRelay
    from prismctl.engine.nomad.roster import Roster

RETRY_SECONDS: Final = 0.25
"""Until Nomad is asked again when it did not answer; its death itself is noticed at once."""
UNHEARD_SECONDS: Final = 1.0
"""Nomad tells of an end within tenths of a second; one that was missed is asked for."""
_ENDED: Final = frozenset({Phase.STOPPED, Phase.COMPLETED, Phase.FAILED})


class InstanceWatch:
    """Looks whenever something may have changed, and reports what has."""

    def __init__(
        self,
        agents: Agents,
        roster: Roster,
        relay: ReadinessRelay,
        reporter: Reporter,
        changed: asyncio.Event,
    ) -> None:
        self._agents = agents
        self._roster = roster
        self._relay = relay
        self._reporter = reporter
        self._paths = agents.layout.paths
        self._reported: dict[InstanceKey, InstanceObservation] = {}
        self._tasks = Tasks()
        self._changed = changed
        """Set by whoever knows that there may be something to report."""
        self._observed = asyncio.Condition()
        self._is_listing_due = False
        self._is_ending = False
        self._restarting: dict[InstanceKey, ProcessId] = {}
        """Runs that end because somebody asked for others."""
        self.asked_restarts = AskedRestarts(agents.layout.asked_restarts)
        """Those that are not the services' own doing."""
        self.placements = Placements()
        """What Nomad says."""
        self.runs = RunWatch(self._paths.environments, self._changed.set)
        """What the shims say."""
        self.logs = TaskLogs(agents.layout)
        """What the tasks say."""

    def open(self) -> None:
        """Begin to look."""
        self._is_ending = False
        self.logs.open()
        self.runs.open()
        self.request_listing()
        self._tasks.start(self._follow_events(), "events of Nomad")
        self._tasks.start(self._keep_reporting(), "observations of Nomad")

    async def close(self) -> None:
        """Look no more; output is copied on until its own end."""
        await self._tasks.end()
        await self.runs.close()

    def request_listing(self) -> None:
        """Ask Nomad where everything is, soon, and report what has changed."""
        self._is_listing_due = True
        self._changed.set()

    async def list(self) -> None:
        """Ask Nomad where everything is, and have output copied that nobody copies yet.

        Raises:
            UnavailableError: it does not answer.
            HttpRejectedError: it refused.
        """
        nomad = self._agents.nomad
        await self.placements.refresh(nomad)
        self.asked_restarts.take(self.placements.allocations, time.time())
        self.logs.carry(self.placements.allocations, self._roster.find)
        applied = self._roster.applied
        await self.placements.refresh_refusals(nomad, applied.groups if applied else ())

    async def wait_for(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Whether something that is seen here becomes so in time."""
        try:
            async with asyncio.timeout(seconds), self._observed:
                await self._observed.wait_for(is_so)
        except TimeoutError:
            return False
        return True

    def lose_nomad(self) -> None:
        """Take note that Nomad is gone, and everything it ran."""
        self.placements.lose()
        self._changed.set()

    def forget_refusal(self, key: InstanceKey) -> None:
        """Let the guard of an instance look again."""
        with contextlib.suppress(OSError):
            find_refusal(self._paths.data_of(*key)).unlink(missing_ok=True)

    async def begin_anew(self) -> None:
        """Take note that Nomad is back and runs nothing of what it ran."""
        self.placements.begin_anew()
        await self.logs.finish_all()

    def begin_ending(self) -> None:
        """Take note that everything is to end: Nomad may not have heard yet that it is no crash when it does."""
        self._is_ending = True

    @contextlib.contextmanager
    def restarting(self, key: InstanceKey) -> Iterator[None]:
        """Take the end of an instance's present run for what it is meanwhile: asked for, and no crash."""
        run = self.runs.run(key)
        if run is not None and self.runs.is_alive(key):
            self._restarting[key] = run.process
        try:
            yield
        finally:
            self._restarting.pop(key, None)

    def report_all_stopped(self) -> None:
        """Say that nothing is left, and forget it."""
        for key in self._roster.instances():
            self._report(InstanceObservation(key=key, phase=Phase.STOPPED))
            remove_files(self._paths, key)
        self._reported.clear()
        self.placements.clear()

    async def _follow_events(self) -> None:
        """Ask for the truth whenever Nomad says that something changed, and whenever it may have gone unheard."""
        index = 0
        while True:
            with contextlib.suppress(UnavailableError, RejectedError):
                async for batch in self._agents.nomad.watch_events(index):
                    index = batch.index
                    self.request_listing()
            # After a restart of Nomad indexes begin anew.
            index = 0
            # A paced retry: a Nomad that does not answer cannot say when it will.
            await asyncio.sleep(RETRY_SECONDS)
            self.request_listing()

    async def _keep_reporting(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._is_listing_due:
                self._is_listing_due = False
                try:
                    await self.list()
                except (UnavailableError, RejectedError):
                    # The death of Nomad is noticed elsewhere; meanwhile, what is known stays.
                    self._list_again(RETRY_SECONDS)
            if self._report_present():
                self._list_again(UNHEARD_SECONDS)
            self._report_leaving()
            async with self._observed:
                self._observed.notify_all()

    def _list_again(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.request_listing)

    def _report_present(self) -> bool:
        """Whether a process is gone of which Nomad has not said yet how it ended."""
        applied = self._roster.applied
        is_unheard = False
        if applied is None:
            return is_unheard
        for group, key in applied.groups.items():
            seen = fold_instance(
                key,
                applied.service(key),
                allocations=self.placements.of(group),
                run=self.runs.run(key),
                is_run_alive=self.runs.is_alive(key),
                ports=applied.own_ports(key),
                refusal=self.placements.refusal(group),
                hopeless=self._relay.hopeless,
                is_refused=self._is_refused(key, applied.service(key)),
                asked_restarts=self.asked_restarts.of,
            )
            if self._is_restarting(key) and seen.phase is not Phase.FAILED:
                seen = replace(seen, phase=Phase.STOPPING, message="")
            self._report(seen)
            is_unheard = is_unheard or (seen.phase is Phase.RUNNING and seen.pid is None)
        return is_unheard

    def _is_restarting(self, key: InstanceKey) -> bool:
        run, ending = self.runs.run(key), self._restarting.get(key)
        return run is not None and run.process == ending

    def _is_refused(self, key: InstanceKey, service: ServicePlan) -> bool:
        return has_guard(service) and find_refusal(self._paths.data_of(*key)).exists()

    def _report_leaving(self) -> None:
        for group, key, service in self._roster.leaving():
            allocations = self.placements.of(group)
            is_over = all(allocation.is_terminal for allocation in allocations)
            if self._roster.is_present(key):
                # In another job now: how it is, and what its files say, is told of that one.
                if is_over:
                    self._roster.drop(group)
                continue
            is_alive = self.runs.is_alive(key)
            observation = fold_instance(
                key,
                service,
                allocations=allocations,
                run=self.runs.run(key),
                is_run_alive=is_alive,
            )
            if observation.pid is not None or is_alive:
                self._report(InstanceObservation(key=key, phase=Phase.STOPPING))
                continue
            self._report(InstanceObservation(key=key, phase=Phase.STOPPED))
            if is_over and not self._roster.is_expected(key):
                self._roster.drop(group)
                self._reported.pop(key, None)
                self.runs.forget(key)
                remove_files(self._paths, key)

    def _report(self, observation: InstanceObservation) -> None:
        if self._is_ending and observation.phase not in _ENDED:
            observation = replace(observation, phase=Phase.STOPPING, message="")
        if self._reported.get(observation.key) != observation:
            self._reported[observation.key] = observation
            self._reporter.observe(observation)
