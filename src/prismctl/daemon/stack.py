"""What one daemon owns: the keeper's connection, the engine, the monitor; and how they outlive each other."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.background import begin
from prismctl.daemon.engine_seat import EngineSeat
from prismctl.daemon.event_log import EventLog
from prismctl.daemon.figure_history import FigureHistory
from prismctl.daemon.idleness import IDLE_SECONDS, Idleness
from prismctl.daemon.keeper_seat import KeeperSeat
from prismctl.daemon.leftovers import Leftovers
from prismctl.daemon.log_copying import LogCopying
from prismctl.daemon.log_room import keep_room
from prismctl.daemon.metering import Metering
from prismctl.daemon.monitor import Monitor
from prismctl.daemon.operations.data import settle_data
from prismctl.daemon.operations.queue import OperationQueue
from prismctl.daemon.operations.stop import stop
from prismctl.daemon.readiness import StackReadiness
from prismctl.daemon.reloading import Reloading
from prismctl.daemon.start_recorder import StartRecorder
from prismctl.daemon.state_file import (
    RememberedState,
    load_plan,
    load_state,
    remove_files,
    save_state,
)
from prismctl.daemon.suspended_keeper import attend
from prismctl.daemon.usage_watch import UsageWatch
from prismctl.daemon.web.dashboard import Dashboard
from prismctl.domain.events import EventKind
from prismctl.domain.redaction import Redactor, find_secrets
from prismctl.domain.service import Runtime
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.files.redaction import remember_secrets
from prismctl.machine import release_ports, reserve_port
from prismctl.probes.scheduler import ProbeScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prismctl.domain.plan import EngineName, StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Engine
    from prismctl.files.paths import StackPaths

REMEMBER_SECONDS: Final = 0.1
"""What is learnt this close together is written down at once: each writing waits for the disk."""
WRITE_AGAIN_SECONDS: Final = 2.0
"""Until what could not be written down is tried once more."""
ADOPT_SECONDS: Final = 3.0
"""How long a new daemon waits for engine and services to tell how they are, before it answers anyway."""
MAX_RESERVED_PORTS: Final = 128


class Stack:
    """Everything about one stack; an operation is the only thing that changes what runs."""

    def __init__(self, paths: StackPaths, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.paths = paths
        self.stop_listening: Callable[[], None] = lambda: None
        """Called before it is told that everything is down: the next command must not find this daemon."""
        self.events = EventLog(paths.events)
        self.redactor = Redactor()
        """Hides the secrets of the plan in whatever leaves the daemon for somebody's eyes; one for the whole life."""
        self.monitor = Monitor(paths, self.events)
        self.readiness = StackReadiness(self.monitor)
        self.events.redactor = self.monitor.redactor = self.redactor
        self.idleness = Idleness(self, idle_seconds)
        self.operations = OperationQueue(self.events, self.idleness.reconsider)
        self.ended = asyncio.Event()
        """The daemon has nothing left to look after."""
        self.is_ending = False
        """Everything is being taken down: the keeper's end is no loss."""
        self._is_stopping = False
        self.withheld: frozenset[ServiceName] = frozenset()
        """Services of the plan that nobody may run now, because their data is being changed."""
        self.stop_notes: list[str] = []
        """What somebody should know about how everything was taken down."""
        self._probes = ProbeScheduler(self.monitor.take_answer)
        self._metering = Metering(self.monitor.has_answered, self._probes.count_answers)
        self.figures = FigureHistory()
        self._keeper = KeeperSeat(paths, self.monitor, self.events)
        self._leftovers = Leftovers(paths, self.monitor, self.events)
        self.usage = UsageWatch(
            self.monitor,
            self._metering,
            self.figures,
            lambda: self._keeper.link,
            self.reserve_ports,
        )
        self.starts = StartRecorder(paths, self.monitor, self.events, self.usage)
        self.dashboard = Dashboard(self)
        self.reloading = Reloading(self)
        self.log_copying = LogCopying(paths, self.redactor, self.monitor)
        self._seat = EngineSeat(paths, self.monitor, self.readiness)
        self._background: list[asyncio.Task[None]] = []
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
        keeper = await self._keeper.open(keeper_fd)
        self._background = [
            begin(self._guard_keeper(), "keeper watch"),
            begin(self.usage.go_on_for_ever(), "usage"),
            begin(keep_room(self.paths.logs, lambda: self.monitor.service_names), "log room"),
        ]
        plan = load_plan(self.paths)
        is_kept = bool(keeper.processes)
        ended = [] if is_kept else await self._leftovers.try_ending(spared_pid=keeper.pid)
        if plan is not None and (is_kept or is_resumed):
            self._leftovers.tell("ended", ended)
            await settle_data(self)
            await self._adopt(plan)
        elif not is_kept and not self._leftovers.are_in_the_way:
            self._begin_afresh(ended, had_plan=self.paths.plan.exists())
            await settle_data(self)
        self.idleness.reconsider()

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
        await self.log_copying.close()
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        self._metering.close()
        await self._probes.__aexit__(None, None, None)
        await self._seat.let_go()
        self.monitor.close()
        self.usage.close()
        self.idleness.close()
        await self._keeper.say_goodbye()

    # What operations do.

    async def clear_leftovers(self) -> None:
        """End what could not be ended when this daemon began, where there was something.

        Raises:
            PrismError: it still does not end.
        """
        if not self._leftovers.are_in_the_way:
            return
        ended = await self._leftovers.end(spared_pid=self._keeper.pid)
        self._leftovers.are_in_the_way = False
        if self.monitor.plan is not None:
            self._leftovers.tell("ended", ended)
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
        await attend(self._hand_over(plan, spared), self._keeper.refuse_silence)

    async def _hand_over(self, plan: StackPlan, spared: Collection[ServiceName] = ()) -> None:
        try:
            async with self._seat.turn:
                engine = await self._fill_seat(plan.engine)
                await engine.apply(self._without_withheld(plan), spared=spared)
        except UnavailableError as error:
            # When it was the keeper that died under our hands, the recovery applies the plan.
            if not await self._keeper.has_gone():
                raise
            await self._keeper.wait_until_replaced(error)

    async def restart_services(self, names: Sequence[ServiceName]) -> None:
        """Restart services.

        Raises:
            PrismError: the engine could not.
        """
        await attend(self._restart_services(names), self._keeper.refuse_silence)

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
        await attend(self._leave_engine(), self._keeper.refuse_silence)

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
            await self._keeper.shut_down(kill=kill)

    def hide_secrets(self, plan: StackPlan, *, is_new_start: bool = False) -> None:
        """Let no secret of this plan be read in logs, events and reasons; of earlier ones neither, unless it begins anew.

        Raises:
            PrismError: it cannot be written down for who reads the logs once the stack has stopped.
        """
        secrets = find_secrets(plan)
        self.redactor.adopt(secrets)
        remember_secrets(self.paths, secrets, self.redactor, is_new_start=is_new_start)

    def remember(self) -> None:
        """Write down soon what a new daemon could not see for itself."""
        if self._memory_timer is None:
            self._memory_timer = asyncio.get_running_loop().call_later(
                REMEMBER_SECONDS, self.write_down
            )

    def write_down(self) -> None:
        """Write down now what a new daemon could not see for itself; a note as long as it cannot be written."""
        if self._memory_timer is not None:
            self._memory_timer.cancel()
            self._memory_timer = None
        if self.monitor.plan is None:
            return
        state = RememberedState(
            history=self.monitor.history,
            log_file=self.log_copying.target,
            is_stopping=self._is_stopping,
        )
        problems: tuple[str, ...] = ()
        try:
            save_state(self.paths, state)
        except PrismError as error:
            problems = (error.message,)
            if not self.is_ending:
                loop = asyncio.get_running_loop()
                self._memory_timer = loop.call_later(WRITE_AGAIN_SECONDS, self.write_down)
        self.monitor.show_notes(problems, "state")

    def _continue_keeper(self) -> None:
        held = self._keeper.end_hold()
        if held is None:
            return
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
        self.log_copying.copy_to(state.log_file, is_resumed=True)
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
                await self.readiness.wait_until_settled()
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
        self._leftovers.tell("the last run was killed; ended", ended, is_always_told=had_plan)

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
        await self.clear_leftovers()
        return await self._seat.fill(name, self._keeper.client)

    async def _guard_keeper(self) -> None:
        await self._keeper.guard(
            self._replace_keeper, on_loss=self.reserve_ports, is_ending=lambda: self.is_ending
        )

    async def _replace_keeper(self) -> None:
        """Open another keeper, and apply the plan again.

        Raises:
            PrismError: it cannot be had, or the plan cannot be applied.
        """
        async with self._seat.turn:
            engine_name = await self._seat.let_go()
            await self._keeper.hang_up()
            self.monitor.forget_world()
            self._leftovers.tell("ended", await self._leftovers.end())
            await self._keeper.open()
            plan = self.monitor.plan
            if plan is not None:
                engine = await self._fill_seat(plan.engine)
                await engine.apply(self._without_withheld(plan))
                self.monitor.take_comeback("keeper")
            elif engine_name is not None:
                await self._fill_seat(engine_name)
        self.events.append(
            EventKind.COMPONENT_READY,
            service="keeper",
            message="a new keeper runs; the plan was applied again",
            details={"pid": self._keeper.pid},
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
