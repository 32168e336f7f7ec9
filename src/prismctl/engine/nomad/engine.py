"""The nomad engine: agents up, plan in, observations out, everything back when something of it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.events import EventKind
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.engine.nomad.agent_http import HttpRejectedError, ask_until_answered
from prismctl.engine.nomad.agents import Agents
from prismctl.engine.nomad.applied import AppliedPlan, prepare, remove_files, shim_place
from prismctl.engine.nomad.configuration import CONSUL_KEY, NOMAD_KEY, TITLES
from prismctl.engine.nomad.environment_files import is_checked_by_consul, ready_key
from prismctl.engine.nomad.job import group_name, instance_keys, job_of, render_jobs
from prismctl.engine.nomad.logs import LogPump
from prismctl.engine.nomad.observe import choose_allocation, fold_instance
from prismctl.engine.nomad.processes import wait_until_gone
from prismctl.engine.nomad.run_watch import RunWatch
from prismctl.engine.nomad.stop_order import FAST_END_SECONDS, resolve_stop_waves
from prismctl.errors import DeadlineError, PrismError, UnavailableError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Sequence

    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Readiness, Reporter
    from prismctl.engine.nomad.decode import Allocation
    from prismctl.engine.nomad.tools import NomadTools
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient

RETRY_SECONDS: Final = 0.25
"""Until Nomad is asked again when it did not answer; its death itself is noticed at once."""
RECOVERY_DELAYS: Final = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0)
"""Before each attempt to bring a lost agent back, in seconds."""
STABLE_SECONDS: Final = 30.0
"""An agent that lived this long was not part of a crash loop."""
RESTART_SECONDS: Final = 30.0
"""How long new processes may take to appear after a restart, beyond the old ones' grace."""
ENFORCE_ATTEMPTS: Final = 3


_ENDED: Final = frozenset({Phase.STOPPED, Phase.COMPLETED, Phase.FAILED})


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
        self._reporter = reporter
        self._readiness = readiness
        self._agents = Agents(paths, keeper, reporter, tools)
        self._lock = asyncio.Lock()
        self._applied: AppliedPlan | None = None
        self._leaving: dict[tuple[str, str], tuple[InstanceKey, ServicePlan]] = {}
        self._hopeless: set[ServiceName] = set()
        self._is_nomad_lost = False
        self._allocations: list[Allocation] = []
        self._refusals: dict[tuple[str, str], str] = {}
        self._reported: dict[InstanceKey, InstanceObservation] = {}
        self._finished: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._readiness_tasks: dict[ServiceName, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._observed = asyncio.Condition()
        self._is_listing_due = False
        self._is_stopping = False
        self._is_open = False
        self._runs = RunWatch(paths.environments, self._wake.set)
        self._pump: LogPump | None = None

    # The protocol.

    async def open(self) -> None:
        """Bring up Consul and Nomad, adopting what runs, and begin to watch.

        Raises:
            PrismError: an agent did not come up; nothing of it is left.
        """
        async with self._lock:
            if self._is_open:
                return
            self._is_stopping = False
            await self._agents.open()
            self._begin_watching()
            self._is_open = True

    async def apply(self, plan: StackPlan) -> None:
        """Hand the plan over to Nomad; what is the same already is not disturbed.

        Raises:
            PrismError: a command cannot be made, or Nomad refused the job.
        """
        async with self._lock:
            self._forget_readiness()
            applied = await asyncio.to_thread(
                prepare, plan, self._paths, self._agents.ports.consul_http
            )
            before = self._applied
            self._applied = applied
            if before is not None:
                for group, key in before.groups.items():
                    if group not in applied.groups:
                        self._leaving[group] = (key, before.service(key))
            for group in applied.groups:
                self._leaving.pop(group, None)
            await self._submit()
            await self._place_failed_again()
            self._watch_readiness(plan)
            self._request_listing()

    async def restart(self, services: Sequence[ServiceName]) -> None:
        """Stop and start the named services' instances; returns once new processes run.

        Raises:
            PrismError: Nomad refused, or a new process did not appear.
        """
        async with self._lock:
            applied = self._require_applied()
            self._forget_readiness()
            self._allocations = await self._agents.nomad.list_allocations()
            keys = [key for key in instance_keys(applied.plan) if key.service in set(services)]
            results = await asyncio.gather(*(self._restart_instance(applied, key) for key in keys))
            missing = [name for name in results if name]
            self._watch_readiness(applied.plan)
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
        self._is_stopping = True
        async with self._lock:
            self._forget_readiness()
            await self._cancel(self._supervision_tasks())
            if not kill and self._is_open and not self._agents.find_lost():
                with contextlib.suppress(PrismError):
                    await self._end_services()
                    await self._agents.end()
            await self._stop_watching()
            await self._agents.end_now()
            await self._finish_logs()
            self._report_all_stopped()
            await self._agents.close()
            self._is_open = False
            self._agents.report_stopped()

    async def close(self) -> None:
        """Let go of everything without stopping anything."""
        self._forget_readiness()
        await self._stop_watching()
        await self._close_pump()
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

    # Handing over.

    async def _submit(self, stopped: Collection[InstanceKey] = ()) -> None:
        """Make Nomad's jobs those of the plan; a stack's jobs that are not in it any more are purged."""
        applied = self._require_applied()
        nomad = self._agents.nomad
        jobs = render_jobs(
            applied.plan,
            applied.ports,
            shim_place(self._paths),
            registration=self._load_registration(),
            stopped=stopped,
        )
        for job_id, job in jobs.items():
            await self._register(job_id, job)
        own = applied.plan.job_id
        for job_id in await nomad.list_job_ids():
            is_ours = job_id == own or job_id.startswith(f"{own}-once-")
            if is_ours and job_id not in jobs:
                await nomad.purge_job(job_id)

    async def _register(self, job_id: str, job: dict[str, Any]) -> None:
        nomad = self._agents.nomad
        for attempt in range(ENFORCE_ATTEMPTS):
            index = await nomad.read_job_index(job_id)
            try:
                await nomad.register_job(job, index)
            except HttpRejectedError as error:
                # Somebody else changed the job in between: look again.
                is_conflict = "Enforcing job modify index" in error.message
                if not is_conflict or attempt + 1 == ENFORCE_ATTEMPTS:
                    raise
            else:
                return

    async def _place_failed_again(self) -> None:
        """Give instances that Nomad gave up on another try; a new apply is the wish for one."""
        applied = self._require_applied()
        allocations = await self._agents.nomad.list_allocations()
        jobs = set()
        for group in applied.groups:
            newest = choose_allocation(_of_group(allocations, group))
            if newest is not None and newest.status == "failed" and newest.desired == "run":
                jobs.add(group[0])
        for job_id in jobs:
            await self._agents.nomad.place_again(job_id)

    async def _restart_instance(self, applied: AppliedPlan, key: InstanceKey) -> str:
        """Restart one instance; its name when no new process of it appeared, else nothing."""
        service = applied.service(key)
        group = (job_of(applied.plan, service), group_name(service, key.replica))
        before = self._runs.run(key)
        newest = choose_allocation(_of_group(self._allocations, group))
        if newest is not None and not newest.is_terminal:
            # Refused while the task is between two runs, which lasts a moment.
            await ask_until_answered(
                RESTART_SECONDS,
                lambda: self._agents.nomad.restart_task(newest.id, service.name),
                pause_seconds=RETRY_SECONDS,
            )
        elif newest is not None and newest.status == "failed":
            await self._agents.nomad.place_again(group[0])
        elif service.one_shot:
            await self._agents.nomad.purge_job(group[0])
            await self._submit()
        self._request_listing()

        def is_new() -> bool:
            run = self._runs.run(key)
            return run is not None and (before is None or run.process != before.process)

        return "" if await self._wait_for(is_new, RESTART_SECONDS) else key.service

    # Taking down.

    async def _end_services(self) -> None:
        """End services wave by wave; the last wave is left to Nomad's own end when that is quick."""
        applied = self._applied
        if applied is None:
            return
        # So that nothing that was just placed ends unheard.
        await self._list()
        waves = resolve_stop_waves(applied.plan.services)
        stopped: list[InstanceKey] = []
        for number, wave in enumerate(waves):
            members = [applied.plan.service(name) for name in wave]
            grace = max(member.stop_grace_seconds for member in members)
            if number + 1 == len(waves) and grace <= FAST_END_SECONDS:
                return
            stopped += [key for key in instance_keys(applied.plan) if key.service in wave]
            processes = [
                run.process
                for key in stopped
                if self._runs.is_alive(key) and (run := self._runs.run(key)) is not None
            ]
            await self._submit(stopped)
            self._request_listing()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace + 1.0):
                    for process in processes:
                        await wait_until_gone(process)

    async def _finish_logs(self) -> None:
        if self._pump is not None:
            # Nomad's files are gone by now; what is open can still be read to its end.
            await asyncio.wrap_future(self._pump.finish_all())
            await self._close_pump()

    async def _close_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            await asyncio.to_thread(pump.close)

    def _report_all_stopped(self) -> None:
        if self._applied is not None:
            for key in instance_keys(self._applied.plan):
                stopped = InstanceObservation(key=key, phase=Phase.STOPPED)
                self._report(stopped)
                remove_files(self._paths, key)
        for key, _ in self._leaving.values():
            self._report(InstanceObservation(key=key, phase=Phase.STOPPED))
            remove_files(self._paths, key)
        self._leaving.clear()
        self._reported.clear()
        self._applied = None
        self._allocations = []
        self._finished.clear()

    # Watching.

    def _begin_watching(self) -> None:
        if self._pump is None:
            layout = self._agents.layout
            self._pump = LogPump(
                lambda key: self._paths.log(str(key)), layout.task_logs, layout.log_positions
            )
            self._pump.start()
        self._runs.open()
        self._request_listing()
        self._start(self._follow_events(), "events of Nomad")
        self._start(self._keep_reporting(), "observations of Nomad")
        self._start(self._supervise(), "agents")

    async def _stop_watching(self) -> None:
        await self._cancel(list(self._tasks))
        await self._runs.close()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{task.get_name()} ended", "exception": error, "task": task}
            )

    @staticmethod
    async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _supervision_tasks(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if task.get_name() == "agents"]

    def _request_listing(self) -> None:
        self._is_listing_due = True
        self._wake.set()

    async def _follow_events(self) -> None:
        """Ask for the truth whenever Nomad says that something changed, and whenever it may have gone unheard."""
        index = 0
        while True:
            with contextlib.suppress(PrismError):
                async for batch in self._agents.nomad.watch_events(index):
                    index = batch.index
                    self._request_listing()
            # After a restart of Nomad indexes begin anew.
            index = 0
            await asyncio.sleep(RETRY_SECONDS)
            self._request_listing()

    async def _keep_reporting(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._is_listing_due:
                self._is_listing_due = False
                # Unanswered, the death of Nomad is noticed elsewhere, and what is known stays.
                with contextlib.suppress(PrismError):
                    await self._list()
            self._fold_all()
            async with self._observed:
                self._observed.notify_all()

    async def _list(self) -> None:
        nomad = self._agents.nomad
        self._allocations = await nomad.list_allocations()
        self._carry_logs()
        refusals: dict[tuple[str, str], str] = {}
        applied = self._applied
        if applied is not None:
            placed = {(item.job, item.group) for item in self._allocations if item.desired == "run"}
            for job_id in {job for job, group in applied.groups if (job, group) not in placed}:
                for evaluation in sorted(
                    await nomad.list_evaluations(job_id), key=lambda item: item.create_index
                ):
                    refusals |= {
                        (job_id, group): reason for group, reason in evaluation.refusals.items()
                    }
        self._refusals = refusals

    def _carry_logs(self) -> None:
        if self._pump is None:
            return
        for allocation in self._allocations:
            group = (allocation.job, allocation.group)
            key = self._find_key(group)
            if key is None or allocation.id in self._finished:
                continue
            self._pump.follow(key, allocation.id, key.service)
            if allocation.is_terminal:
                self._finished.add(allocation.id)
                self._pump.finish(allocation.id)

    def _find_key(self, group: tuple[str, str]) -> InstanceKey | None:
        if self._applied is not None and group in self._applied.groups:
            return self._applied.groups[group]
        return self._leaving[group][0] if group in self._leaving else None

    def _fold_all(self) -> None:
        applied = self._applied
        if applied is None:
            return
        for group, key in applied.groups.items():
            self._report(
                fold_instance(
                    key,
                    applied.service(key),
                    allocations=_of_group(self._allocations, group),
                    run=self._runs.run(key),
                    is_run_alive=self._runs.is_alive(key),
                    ports=applied.own_ports(key),
                    refusal=(
                        "waits for Nomad, which is being brought back"
                        if self._is_nomad_lost
                        else self._refusals.get(group, "")
                    ),
                    hopeless=self._hopeless,
                )
            )
        for group, (key, service) in list(self._leaving.items()):
            observation = fold_instance(
                key,
                service,
                allocations=_of_group(self._allocations, group),
                run=self._runs.run(key),
                is_run_alive=self._runs.is_alive(key),
            )
            if observation.pid is not None or self._runs.is_alive(key):
                self._report(InstanceObservation(key=key, phase=Phase.STOPPING))
                continue
            self._report(InstanceObservation(key=key, phase=Phase.STOPPED))
            allocations = _of_group(self._allocations, group)
            if all(allocation.is_terminal for allocation in allocations):
                del self._leaving[group]
                self._reported.pop(key, None)
                self._runs.forget(key)
                remove_files(self._paths, key)

    def _report(self, observation: InstanceObservation) -> None:
        if self._is_stopping and observation.phase not in _ENDED:
            # Until all of it is gone, Nomad may not have heard yet that this is an end and no crash.
            observation = replace(observation, phase=Phase.STOPPING, message="")
        if self._reported.get(observation.key) != observation:
            self._reported[observation.key] = observation
            self._reporter.observe(observation)

    async def _wait_for(self, is_so: Any, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds), self._observed:
                await self._observed.wait_for(is_so)
        except TimeoutError:
            return False
        return True

    # Readiness.

    def _watch_readiness(self, plan: StackPlan) -> None:
        needed = {name for service in plan.services for name in service.depends_on}
        for name in needed:
            service = plan.service(name)
            self._readiness_tasks[name] = asyncio.create_task(
                self._tell_when_good(plan, service), name=f"readiness of {name}"
            )

    def _forget_readiness(self) -> None:
        for task in self._readiness_tasks.values():
            task.cancel()
        self._readiness_tasks.clear()
        self._hopeless.clear()

    async def _tell_when_good(self, plan: StackPlan, service: ServicePlan) -> None:
        if not await self._readiness.wait_until_good(service.name):
            self._hopeless.add(service.name)
            self._wake.set()
            return
        if is_checked_by_consul(service):
            return
        while True:
            try:
                await self._agents.consul.put_key(ready_key(plan, service), service.digest)
            except (UnavailableError, HttpRejectedError):
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    # Bringing back.

    async def _supervise(self) -> None:
        """Bring agents back that die, as often as that makes sense."""
        attempt = 0
        while True:
            began_at = time.monotonic()
            lost = await self._agents.wait_until_lost()
            if time.monotonic() - began_at > STABLE_SECONDS:
                attempt = 0
            async with self._lock:
                self._take_note_of_loss(lost)
                while not await self._recover(lost, RECOVERY_DELAYS[attempt]):
                    attempt += 1
                    if attempt == len(RECOVERY_DELAYS):
                        self._give_up(lost)
                        return
                    # The other one may have died meanwhile, or what was brought back again.
                    more = self._agents.find_lost()
                    self._take_note_of_loss(more)
                    lost |= more
            attempt = min(attempt + 1, len(RECOVERY_DELAYS) - 1)

    def _take_note_of_loss(self, lost: set[str]) -> None:
        self._agents.forget_lost(lost)
        if NOMAD_KEY in lost:
            self._is_nomad_lost = True
            self._allocations = []
            self._wake.set()

    async def _recover(self, lost: set[str], delay_seconds: float) -> bool:
        began_at = time.monotonic()
        await asyncio.sleep(delay_seconds)
        try:
            await self._agents.bring_back()
            if NOMAD_KEY in lost:
                self._is_nomad_lost = False
                self._finished.clear()
                if self._pump is not None:
                    await asyncio.wrap_future(self._pump.finish_all())
            if CONSUL_KEY in lost:
                self._save_registration(self._load_registration() + 1)
            if self._applied is not None:
                plan = self._applied.plan
                await self._submit()
                self._forget_readiness()
                self._watch_readiness(plan)
        except PrismError as error:
            self._reporter.note(
                EventKind.COMPONENT_LOST, _names(lost), f"not back yet: {error.message}"
            )
            return False
        self._request_listing()
        seconds = time.monotonic() - began_at
        self._reporter.note(
            EventKind.COMPONENT_READY,
            _names(lost),
            f"brought back {' and '.join(TITLES[key] for key in sorted(lost))} in {seconds:.1f} s",
        )
        return True

    def _give_up(self, lost: set[str]) -> None:
        message = (
            f"gave up bringing it back after {len(RECOVERY_DELAYS)} attempts; "
            "`prismctl dev restart` tries again"
        )
        self._agents.report_lost(lost, message)
        self._reporter.note(EventKind.COMPONENT_LOST, _names(lost), message)

    def _load_registration(self) -> int:
        try:
            return int(json.loads(self._agents.layout.registration.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return 0

    def _save_registration(self, number: int) -> None:
        write_atomically(self._agents.layout.registration, f"{number}\n")

    def _require_applied(self) -> AppliedPlan:
        if self._applied is None:
            raise PrismError("nothing has been started", hint="`prismctl dev start` starts a stack")
        return self._applied


def _of_group(allocations: Sequence[Allocation], group: tuple[str, str]) -> list[Allocation]:
    return [item for item in allocations if (item.job, item.group) == group]


def _names(keys: set[str]) -> str:
    return ", ".join(sorted(keys))
