"""What one daemon owns: the keeper's connection, the engine, the monitor; and how they outlive each other."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.engine_seat import EngineSeat
from prismctl.daemon.event_log import EventLog
from prismctl.daemon.figure_history import FigureHistory
from prismctl.daemon.keeper_link import KeeperLink, open_keeper
from prismctl.daemon.log_copy import LogCopy
from prismctl.daemon.log_room import keep_room
from prismctl.daemon.metering import Metering
from prismctl.daemon.monitor import Monitor
from prismctl.daemon.operations.data import settle_data
from prismctl.daemon.operations.queue import WARM, OperationQueue
from prismctl.daemon.operations.stop import stop
from prismctl.daemon.reloading import Reloading
from prismctl.daemon.start_recorder import StartRecorder
from prismctl.daemon.state_file import (
    RememberedState,
    load_plan,
    load_state,
    remove_files,
    save_state,
)
from prismctl.daemon.suspended_keeper import (
    LOOK_SECONDS,
    SuspendedError,
    attend,
    end_hold,
    find_hold,
)
from prismctl.daemon.sweep import end_leftovers
from prismctl.daemon.usage_watch import UsageWatch
from prismctl.daemon.web.dashboard import Dashboard
from prismctl.domain.events import EventKind
from prismctl.domain.redaction import Redactor, find_secrets
from prismctl.domain.service import Runtime
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.files.redaction import remember_secrets
from prismctl.machine import release_ports, reserve_port
from prismctl.probes.scheduler import ProbeScheduler
from prismctl.runtime.container_sweep import let_containers_go_on, sweep_containers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence

    from prismctl.domain.plan import EngineName, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Engine
    from prismctl.files.paths import StackPaths

REMEMBER_SECONDS: Final = 0.1
"""What is learnt this close together is written down at once: each writing waits for the disk."""
IDLE_SECONDS: Final = 30.0
"""A daemon without a plan, a client and anything to do ends after this long."""
KEEPER_END_SECONDS: Final = 2.0
"""How long the keeper may take to go once it has said that nothing is left."""
ADOPT_SECONDS: Final = 3.0
"""How long a new daemon waits for engine and services to tell how they are, before it answers anyway."""
RECOVERY_DELAYS: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
MAX_RESERVED_PORTS: Final = 128
COPY_END_SECONDS: Final = 5.0
"""How long a stop waits for the rest of the logs to be in the file that was asked for."""
RECOVERY_SECONDS: Final = 60.0
"""How long an operation waits for a lost keeper to be replaced."""


class Stack:
    """Everything about one stack; an operation is the only thing that changes what runs."""

    def __init__(self, paths: StackPaths, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.paths = paths
        self._idle_seconds = idle_seconds
        self.stop_listening: Callable[[], None] = lambda: None
        """Called before it is told that everything is down: the next command must not find this daemon."""
        self.events = EventLog(paths.events)
        self.redactor = Redactor()
        """Hides the secrets of the plan in whatever leaves the daemon for somebody's eyes; one for the whole life."""
        self.monitor = Monitor(paths, self.events)
        self.events.redactor = self.monitor.redactor = self.redactor
        self.operations = OperationQueue(self.events, self.reconsider_idleness)
        self.ended = asyncio.Event()
        """The daemon has nothing left to look after."""
        self.is_ending = False
        """Everything is being taken down: the keeper's end is no loss."""
        self._is_stopping = False
        self._has_leftovers = False
        """Something of an earlier run could not be ended; nothing of this stack may run beside it."""
        self.withheld: frozenset[ServiceName] = frozenset()
        """Services of the plan that nobody may run now, because their data is being changed."""
        self.stop_notes: list[str] = []
        """What somebody should know about how everything was taken down."""
        self._probes = ProbeScheduler(self.monitor.take_answer)
        self._metering = Metering(self.monitor.has_answered, self._probes.count_answers)
        self.figures = FigureHistory()
        self.usage = UsageWatch(
            self.monitor, self._metering, self.figures, lambda: self._link, self.reserve_ports
        )
        self.starts = StartRecorder(paths, self.monitor, self.events, self.usage)
        self.dashboard = Dashboard(self)
        self.reloading = Reloading(self)
        self._link: KeeperLink | None = None
        self._seat = EngineSeat(paths, self.monitor)
        self._keeper_is_there = asyncio.Event()
        self._background: dict[str, asyncio.Task[None]] = {}
        self._log_file = ""
        self._log_copy: LogCopy | None = None
        self._clients = 0
        self._choosers = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._memory_timer: asyncio.TimerHandle | None = None

    # Its life.

    async def open(self, keeper_fd: int | None = None, *, is_resumed: bool = False) -> None:
        """Connect to the keeper, and adopt what it keeps or sweep what another one left.

        A daemon that is resumed adopts the plan even when nothing of it runs: its predecessor was killed while it
        brought the stack back, or took it down.

        Raises:
            PrismError: there is no keeper and none can be started.
        """
        self.monitor.use_probes(self._probes, self.remember)
        self.monitor.use_metering(self._metering)
        self._link = await open_keeper(self.paths, keeper_fd)
        self._keeper_is_there.set()
        self._begin("keeper watch", self._guard_keeper())
        self._begin("usage", self.usage.go_on_for_ever())
        self._begin("log room", keep_room(self.paths.logs, lambda: self.monitor.service_names))
        plan = load_plan(self.paths)
        is_kept = bool(self._link.facts.processes)
        ended = [] if is_kept else await self._try_ending_leftovers(self._link.facts.pid)
        if plan is not None and (is_kept or is_resumed):
            self._tell_swept("ended", ended)
            await settle_data(self)
            await self._adopt(plan)
        elif not is_kept and not self._has_leftovers:
            self._begin_afresh(ended, had_plan=self.paths.plan.exists())
            await settle_data(self)
        self.reconsider_idleness()

    def begin_stopping(self) -> None:
        """From now on what ends is no loss; a daemon that takes this one's place goes on stopping."""
        self.is_ending = True
        self._is_stopping = True
        self.reloading.follow(None)
        self.write_down()

    def end(self) -> None:
        """There is nothing left to look after."""
        self.is_ending = True
        self.stop_listening()
        self.dashboard.stop_listening()
        self.ended.set()

    async def close(self) -> None:
        """Let go of everything; what runs goes on, and the keeper does not start this daemon again."""
        self.is_ending = True
        self.reloading.close()
        self.write_down()
        await self.operations.close()
        await self.dashboard.close(grace_seconds=0.0)
        await self.starts.finish()
        for task in self._background.values():
            task.cancel()
        if self._background:
            await asyncio.wait(self._background.values())
        self._metering.close()
        await self._probes.__aexit__(None, None, None)
        await self._seat.let_go()
        self.monitor.close()
        self.usage.close()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._link is not None:
            with contextlib.suppress(PrismError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._link.client.goodbye()
            await self._link.client.close()

    def client_came(self) -> None:
        """Somebody is connected."""
        self._clients += 1
        self.reconsider_idleness()

    def client_went(self) -> None:
        """Somebody has hung up."""
        self._clients -= 1
        self.reconsider_idleness()

    @property
    def is_unclaimed(self) -> bool:
        """Whether nobody has asked for more than the engine's agents."""
        asked = (subject for subject in self.operations.subjects if not subject.startswith(WARM))
        return self.monitor.plan is None and not any(asked)

    @property
    def choosers(self) -> int:
        """How many hold the agents up while they choose what to run on them."""
        return self._choosers

    def chooser_came(self) -> None:
        """Somebody chooses, and wants the agents up meanwhile."""
        self._choosers += 1

    def chooser_went(self) -> None:
        """Somebody who chose has hung up, however that came; what nobody wants any more goes down at once."""
        self._choosers -= 1
        self._end_if_unwanted()

    def lose_starter(self) -> None:
        """Whoever started this was gone before it could be used."""
        self._end_if_unwanted()

    def _end_if_unwanted(self) -> None:
        if not self._choosers and self.is_unclaimed and not self.is_ending:
            self.operations.start_instead("stop", lambda: stop(self, kill=False))

    def reconsider_idleness(self) -> None:
        """Without a plan, a client and anything to do, end after a while: an abandoned picker leaves nothing."""
        is_idle = self.monitor.plan is None and not self._clients and not self.operations.is_busy
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if is_idle and not self.is_ending:
            self._idle_timer = asyncio.get_running_loop().call_later(
                self._idle_seconds, self._give_up_idling
            )

    def _give_up_idling(self) -> None:
        self.operations.start("idle", lambda: stop(self, kill=False))

    # What operations do.

    async def clear_leftovers(self) -> None:
        """End what could not be ended when this daemon began, where there was something.

        Raises:
            PrismError: it still does not end.
        """
        if not self._has_leftovers:
            return
        spare = self._link.facts.pid if self._link is not None else 0
        ended = await self._end_leftovers(spare=spare)
        self._has_leftovers = False
        if self.monitor.plan is not None:
            self._tell_swept("ended", ended)
        else:
            self._begin_afresh(ended, had_plan=self.paths.plan.exists())
            await settle_data(self)

    async def hand_over(self, plan: StackPlan, *, spared: Collection[ServiceName] = ()) -> None:
        """Give a plan to its engine; ``spared`` services that failed are not tried again.

        Raises:
            PrismError: the engine refused it, or cannot be had.
        """
        # Before anything of the plan can want the page's port.
        await self.dashboard.serve(plan)
        await attend(self._hand_over(plan, spared), self._refuse_silence)

    async def _hand_over(self, plan: StackPlan, spared: Collection[ServiceName] = ()) -> None:
        try:
            async with self._seat.turn:
                engine = await self._fill_seat(plan.engine)
                await engine.apply(self._without_withheld(plan), spared=spared)
        except UnavailableError as error:
            # When it was the keeper that died under our hands, the recovery applies the plan.
            if not await self._has_lost_keeper():
                raise
            await self._await_keeper(error)

    async def restart_services(self, names: Sequence[ServiceName]) -> None:
        """Restart services.

        Raises:
            PrismError: the engine could not.
        """
        await attend(self._restart_services(names), self._refuse_silence)

    async def _restart_services(self, names: Sequence[ServiceName]) -> None:
        async with self._seat.turn:
            if self._seat.engine is None:
                raise RejectedError("nothing runs")
            await self._seat.engine.restart(names)

    async def warm(self, name: EngineName) -> dict[str, Any]:
        """Bring an engine up before there is a plan.

        Raises:
            PrismError: it did not come up.
        """
        async with self.operations.turn, self._seat.turn:
            if self.monitor.plan is None:
                await self._fill_seat(name)
        return {"engine": name.value}

    async def leave_engine(self) -> None:
        """End all that runs on the present engine, because a plan names another.

        Raises:
            PrismError: something could not be ended.
        """
        await attend(self._leave_engine(), self._refuse_silence)

    async def _leave_engine(self) -> None:
        async with self._seat.turn:
            await self._seat.end(kill=False)

    async def stop_everything(self, *, kill: bool) -> None:
        """End the services, the agents and the keeper; one that is suspended is continued for it.

        Raises:
            PrismError: something could not be ended.
        """
        self._continue_keeper()
        await attend(self._stop_everything(kill=kill), self._continue_keeper)

    async def _stop_everything(self, *, kill: bool) -> None:
        async with self._seat.turn:
            with contextlib.suppress(UnavailableError):
                plan = self.monitor.plan
                if self._seat.engine is None and plan is not None:
                    # Of a stack that was adopted and whose engine was not opened yet.
                    await self._fill_seat(plan.engine)
                await self._seat.end(kill=kill)
            if self._link is not None:
                with contextlib.suppress(UnavailableError, TimeoutError):
                    await self._link.client.shutdown(kill=kill)
                    async with asyncio.timeout(KEEPER_END_SECONDS):
                        await self._link.client.wait_closed()

    def hide_secrets(self, plan: StackPlan, *, is_new_start: bool = False) -> None:
        """Let no secret of this plan be read in logs, events and reasons; of earlier ones neither, unless it begins anew.

        Raises:
            PrismError: it cannot be written down for who reads the logs once the stack has stopped.
        """
        secrets = find_secrets(plan)
        self.redactor.adopt(secrets)
        remember_secrets(self.paths, secrets, self.redactor, is_new_start=is_new_start)

    def copy_logs_to(self, target: str, *, is_resumed: bool = False) -> None:
        """Append all output to a file from now on; empty: no more. A copy to the same file goes on as it is."""
        self._log_file = target
        if self._log_copy is not None and self._log_copy.target == target:
            return
        running = self._background.pop("log copy", None)
        if running is not None:
            running.cancel()
        self._log_copy = None
        if target:
            self._log_copy = LogCopy(
                self.paths,
                target,
                redactor=self.redactor,
                show_problem=lambda text: self.monitor.show_notes((text,) if text else (), "copy"),
            )
            self._begin("log copy", self._log_copy.run(is_resumed=is_resumed))

    async def finish_log_copy(self) -> None:
        """Copy what is left, the services' last words included."""
        task = self._background.get("log copy")
        if self._log_copy is not None and task is not None:
            self._log_copy.finish()
            await asyncio.wait({task}, timeout=COPY_END_SECONDS)
        self.copy_logs_to("")

    def remember(self) -> None:
        """Write down soon what a new daemon could not see for itself."""
        if self._memory_timer is None:
            self._memory_timer = asyncio.get_running_loop().call_later(
                REMEMBER_SECONDS, self.write_down
            )

    def write_down(self) -> None:
        """Write down now what a new daemon could not see for itself; what cannot be written is not remembered."""
        if self._memory_timer is not None:
            self._memory_timer.cancel()
            self._memory_timer = None
        if self.monitor.plan is None:
            return
        state = RememberedState(
            history=self.monitor.history,
            log_file=self._log_file,
            is_stopping=self._is_stopping,
        )
        try:
            save_state(self.paths, state)
        except PrismError as error:
            self.monitor.add_note(error.message)

    def _refuse_silence(self) -> None:
        """Say it, where an answer is missing because the keeper is suspended."""
        link = self._link
        if link is None or link.client.silent_seconds < LOOK_SECONDS:
            return
        held = find_hold(link.process)
        if held is not None:
            raise SuspendedError(held)

    def _continue_keeper(self) -> None:
        keeper = self._link.process if self._link is not None else None
        held = find_hold(keeper)
        if keeper is None or held is None:
            return
        end_hold(keeper)
        note = f"the keeper (PID {held}) was suspended; it was continued to stop"
        if note not in self.stop_notes:
            self.stop_notes.append(note)
            self.events.append(EventKind.COMPONENT_READY, service="keeper", message=note)

    # What answers are made of.

    @property
    def engine(self) -> Engine | None:
        """The engine in use."""
        return self._seat.engine

    # Inside.

    async def _adopt(self, plan: StackPlan) -> None:
        state = load_state(self.paths)
        try:
            self.hide_secrets(plan)
        except PrismError as error:
            # Those of this plan are hidden all the same, and what runs has to be looked after.
            self.monitor.add_note(error.message)
        self.copy_logs_to(state.log_file, is_resumed=True)
        self.monitor.begin(plan, state.history)
        if state.is_stopping:
            self.operations.start("stop", lambda: stop(self, kill=False))
            return

        self.reloading.follow(plan)
        self.dashboard.recall()
        # At the same port as before, if somebody else does not have it by now: pages that are open find it again.
        await self.dashboard.serve(plan)
        is_adopted = asyncio.Event()

        async def adopt() -> dict[str, Any]:
            try:
                async with self.operations.turn:
                    # A keeper that is held meanwhile holds this up, and nothing is lost.
                    await self._hand_over(plan)
                await self.monitor.wait_until_settled()
            finally:
                is_adopted.set()
            return {"outcome": "ready"}

        self.operations.start("adopt", adopt)
        # The first answer shall be true, even if it comes later on a busy machine; agents that do not answer shall not hold it up for ever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ADOPT_SECONDS):
                await is_adopted.wait()

    def _begin_afresh(self, ended: list[dict[str, Any]], *, had_plan: bool) -> None:
        self.events.begin()
        remove_files(self.paths)
        self._tell_swept("the last run was killed; ended", ended, is_always_told=had_plan)

    async def _end_leftovers(self, *, spare: int = 0) -> list[dict[str, Any]]:
        """End what carries the keeper's mark although no keeper keeps it."""
        await asyncio.to_thread(let_containers_go_on, self.paths)
        ended = await asyncio.to_thread(
            end_leftovers, self.paths.keeper_id, spare=(os.getpid(), spare)
        )
        return ended + await asyncio.to_thread(sweep_containers, self.paths)

    async def _try_ending_leftovers(self, keeper_pid: int) -> list[dict[str, Any]]:
        """The same where somebody who can be told is yet to come: what does not end is in the way of the next start."""
        try:
            return await self._end_leftovers(spare=keeper_pid)
        except PrismError as error:
            self._has_leftovers = True
            self.monitor.add_note(error.message)
            return []

    def _tell_swept(
        self, words: str, ended: list[dict[str, Any]], *, is_always_told: bool = False
    ) -> None:
        if ended or is_always_told:
            self.events.append(
                EventKind.SWEPT,
                message=f"{words} {len(ended)} leftover processes",
                details={"processes": ended},
            )

    def _without_withheld(self, plan: StackPlan) -> StackPlan:
        """The plan with no instance of what nobody may run now, or runs here; dependents are not disturbed by that."""
        services = (
            replace(service, replicas=0)
            if service.name in self.withheld or service.runtime is Runtime.EXTERNAL
            else service
            for service in plan.services
        )
        return replace(plan, services=tuple(services))

    async def _fill_seat(self, name: EngineName) -> Engine:
        if self._link is None:
            raise UnavailableError("there is no keeper")
        await self.clear_leftovers()
        return await self._seat.fill(name, self._link.client)

    async def _has_lost_keeper(self) -> bool:
        try:
            if self._link is not None:
                await self._link.client.list()
        except UnavailableError:
            self._keeper_is_there.clear()
            return True
        return False

    async def _await_keeper(self, cause: UnavailableError) -> None:
        """Return once the recovery has applied the plan."""
        try:
            async with asyncio.timeout(RECOVERY_SECONDS):
                await self._keeper_is_there.wait()
        except TimeoutError as error:
            raise UnavailableError(f"the keeper could not be replaced: {cause.message}") from error

    async def _guard_keeper(self) -> None:
        """Replace a keeper that died, and apply the plan again."""
        while self._link is not None:
            await self._link.client.wait_closed()
            if self.is_ending:
                return
            self.reserve_ports()
            self._keeper_is_there.clear()
            self.monitor.lose_component("keeper")
            self.events.append(
                EventKind.COMPONENT_LOST,
                service="keeper",
                message="the keeper was killed, and everything it kept with it",
                details={"pid": self._link.facts.pid},
            )
            for attempt in range(1000):
                await asyncio.sleep(RECOVERY_DELAYS[min(attempt, len(RECOVERY_DELAYS) - 1)])
                try:
                    await self._replace_keeper()
                except PrismError as error:
                    self.monitor.add_note(f"the keeper cannot be replaced: {error.message}")
                else:
                    break

    async def _replace_keeper(self) -> None:
        async with self._seat.turn:
            engine_name = await self._seat.let_go()
            if self._link is not None:
                await self._link.client.close()
            self.monitor.forget_world()
            self._tell_swept("ended", await self._end_leftovers())
            self._link = await open_keeper(self.paths)
            plan = self.monitor.plan
            if plan is not None:
                engine = await self._fill_seat(plan.engine)
                await engine.apply(self._without_withheld(plan))
                self.monitor.take_comeback("keeper")
            elif engine_name is not None:
                await self._fill_seat(engine_name)
            self._keeper_is_there.set()
        self.events.append(
            EventKind.COMPONENT_READY,
            service="keeper",
            message="a new keeper runs; the plan was applied again",
            details={"pid": self._link.facts.pid},
        )

    def reserve_ports(self) -> None:
        """Keep other starts from the ports of the plan while nobody listens there: services will be back."""
        plan = self.monitor.plan
        services = plan.services if plan is not None else ()
        ports = [
            port.host_port
            for service in services
            if service.runtime is not Runtime.EXTERNAL
            for port in service.ports
        ]
        release_ports(kept=ports)
        # Each takes two file descriptors.
        # A start holds them only as long as it lives.
        for port in ports[:MAX_RESERVED_PORTS]:
            reserve_port(port, str(self.paths.directory))

    def _begin(self, name: str, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._background[name] = task
        task.add_done_callback(lambda _: self._drop(name, task))

    def _drop(self, name: str, task: asyncio.Task[None]) -> None:
        if self._background.get(name) is task:
            del self._background[name]
        if not task.cancelled() and (failure := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": name, "exception": failure})
