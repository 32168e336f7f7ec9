"""The engine that needs nothing installed: the plan's processes, handed to the keeper in dependency order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prismctl.domain.dependencies import start_levels
from prismctl.domain.events import EventKind
from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.engine.local.gates import Gates
from prismctl.engine.local.processes import (
    WantedProcess,
    decode_status,
    is_alive,
    is_as_wanted,
    parse_key,
    render_process,
)
from prismctl.engine.needs import wait_until_met
from prismctl.engine.replica_ports import ReplicaPorts
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.keeper.protocol import KeeperEvent, ProcessStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterable, Sequence

    from prismctl.domain.plan import StackPlan
    from prismctl.domain.service import ServiceName
    from prismctl.engine.interface import Readiness, Reporter
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient

_WATCHING: Final = "keeper"


class LocalEngine:
    """Runs the services of a plan as processes of the keeper."""

    def __init__(
        self,
        *,
        paths: StackPaths,
        keeper: KeeperClient,
        reporter: Reporter,
        readiness: Readiness,
    ) -> None:
        self._paths = paths
        self._keeper = keeper
        self._reporter = reporter
        self._readiness = readiness
        self._ports = ReplicaPorts(paths)
        self._wanted: dict[str, WantedProcess] = {}
        self._blocked: set[str] = set()
        """Instances whose dependencies can never be ready."""
        self._awaited: set[str] = set()
        """Reported as waiting: what is still said of their last run is about the past."""
        self._gates = Gates()
        self._watch = Gates()
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Take note of what the keeper runs, and of every change from now on."""
        is_complete = asyncio.Event()
        self._watch.open(_WATCHING, self._watch_keeper(is_complete))
        await is_complete.wait()

    async def apply(self, plan: StackPlan, *, spared: Collection[ServiceName] = ()) -> None:
        """Stop what is surplus or different, start what is missing; the rest is not touched."""
        async with self._changing:
            await self._gates.close()
            blocked, self._blocked = self._blocked, set()
            self._awaited.clear()
            wanted = self._render(plan)
            present = await self._list_present()
            surplus = [key for key in present if key not in wanted]
            missing = [
                key
                for key, process in wanted.items()
                if process.service.name not in spared
                and not is_as_wanted(present.get(key), process.spec)
            ]
            self._blocked |= {key for key in blocked & wanted.keys() if key not in missing}
            ending = [
                key for key in (*surplus, *missing) if key in present and is_alive(present[key])
            ]
            known = {**self._wanted, **wanted}
            self._wanted = wanted
            for key in missing:
                self._report_waiting(key)
            await self._stop_in_waves(ending, known, kill=False)
            for key in surplus:
                # Of what has just ended, its end is told.
                await self._forget(key, is_told=key not in ending)
            self._ports.keep(set(wanted))
            await self._start(missing)

    async def restart(self, services: Sequence[ServiceName]) -> None:
        """Stop and start the instances of some services; dependents that are not among them are left alone."""
        async with self._changing:
            names = set(services)
            keys = [key for key, process in self._wanted.items() if process.service.name in names]
            present = await self._list_present()
            alive = [key for key in keys if key in present and is_alive(present[key])]
            await self._gates.close(keys)
            blocked, self._blocked = self._blocked - set(keys), set()
            if len(names) == 1:
                await self._restart_at_once(keys, alive)
            else:
                for key in keys:
                    self._report_waiting(key)
                await self._stop_in_waves(alive, self._wanted, kill=False)
                await self._start(keys)
            await self._start([key for key in self._wanted if key in blocked])

    async def stop(self, *, kill: bool) -> None:
        """End everything in reverse dependency order, what does not depend on each other at once."""
        async with self._changing:
            await self._gates.close()
            self._blocked.clear()
            self._awaited.clear()
            present = await self._list_present()
            alive = [key for key, status in present.items() if is_alive(status)]
            for key in self._wanted:
                if key not in alive:
                    self._report(key, Phase.STOPPED)
            await self._stop_in_waves(alive, self._wanted, kill=kill)
            for key in present:
                await self._forget(key, is_told=False)
            self._wanted = {}

    async def close(self) -> None:
        """Let go; processes and their restarts are the keeper's."""
        await self._gates.close()
        await self._watch.close()

    async def login_url(self, ui: str) -> str:
        """There is nothing to log in to.

        Raises:
            RejectedError: always.
        """
        raise RejectedError(
            f"the local engine has no `{ui}` user interface",
            hint="`prismctl dev start --engine nomad` runs the stack on Nomad",
        )

    def environment(self) -> dict[str, str]:
        """Nothing: there are no tools of the engine's own."""
        return {}

    def endpoints(self) -> dict[str, str]:
        """None."""
        return {}

    def _render(self, plan: StackPlan) -> dict[str, WantedProcess]:
        wanted: dict[str, WantedProcess] = {}
        for service in plan.services:
            for replica in range(service.replicas):
                key = InstanceKey(service.name, replica)
                own = self._ports.plan_instance(key, plan)
                wanted[str(key)] = render_process(own, key, plan, self._paths)
        return wanted

    async def _list_present(self) -> dict[str, ProcessStatus]:
        return {
            status.key: status
            for status in await self._keeper.list()
            if parse_key(status.key) is not None
        }

    async def _start(self, keys: Iterable[str]) -> None:
        """Start what waits for nothing now, and the rest as soon as its dependencies are good."""
        at_once = []
        for key in keys:
            self._report_waiting(key)
            if self._wanted[key].service.depends_on:
                self._gates.open(key, self._spawn_when_possible(key))
            else:
                at_once.append(key)
        await _finish(self._spawn(key) for key in at_once)

    async def _spawn_when_possible(self, key: str) -> None:
        service = self._wanted[key].service
        answers = await asyncio.gather(
            *(
                wait_until_met(self._readiness, name, service.need_of(name))
                for name in service.depends_on
            )
        )
        if all(answers):
            await self._spawn(key)
        else:
            self._blocked.add(key)

    async def _spawn(self, key: str) -> None:
        """Hand one instance to the keeper; what goes wrong with it is its own failure, not the plan's."""
        process = self._wanted[key]
        self._awaited.discard(key)
        try:
            process.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._keeper.spawn(process.spec)
        except OSError as error:
            message = f"cannot make {error.filename}: {error.strerror}"
            self._report(key, Phase.FAILED, message)
        except RejectedError as error:
            self._report(key, Phase.FAILED, error.message)
        except UnavailableError:
            # The keeper is gone; the daemon sees that for itself and applies the plan again.
            return

    async def _restart_at_once(self, keys: Sequence[str], alive: Sequence[str]) -> None:
        """The instances of one service: a restart is not held up by what it depends on."""
        for key in keys:
            if key not in alive:
                self._report_waiting(key)
        await _finish(
            self._keeper.restart(key) if key in alive else self._spawn(key) for key in keys
        )

    async def _stop_in_waves(
        self, keys: Sequence[str], known: dict[str, WantedProcess], *, kill: bool
    ) -> None:
        """Dependents before what they depend on; a key nobody knows the service of goes first."""
        services = {key: known[key].service for key in keys if key in known}
        names = [service.name for service in services.values()]
        depends_on = {service.name: service.depends_on for service in services.values()}
        levels = start_levels(list(dict.fromkeys(names)), depends_on)
        waves = [[key for key in keys if key not in services]]
        waves += [
            [key for key, service in services.items() if service.name in level]
            for level in reversed(levels)
        ]
        for wave in [list(keys)] if kill else waves:
            await _finish(self._keeper.stop(key, kill=kill) for key in wave)

    async def _forget(self, key: str, *, is_told: bool = True) -> None:
        await self._keeper.forget(key)
        if is_told:
            self._reporter.note(EventKind.SERVICE_STOPPED, key.partition("#")[0], "removed")

    async def _watch_keeper(self, is_complete: asyncio.Event) -> None:
        while True:
            try:
                present = {status.key for status in await self._keeper.list()}
                if not present:
                    is_complete.set()
                async for event, status in self._keeper.watch():
                    self._take_event(event, status)
                    present.discard(status.key)
                    if not present:
                        is_complete.set()
            except UnavailableError:
                # Fallen behind, or the keeper is gone; only in the first case is there anything to come back to.
                try:
                    await self._keeper.list()
                except PrismError:
                    is_complete.set()
                    return

    def _take_event(self, event: KeeperEvent, status: ProcessStatus) -> None:
        if event is KeeperEvent.LOG_LOST:
            name = status.key.partition("#")[0]
            self._reporter.note(EventKind.LOG_LOST, name, "its output cannot be written")
        elif event is not KeeperEvent.EXITED:
            # What follows from an exit comes as the next event.
            self._take_note(status)

    def _take_note(self, status: ProcessStatus) -> None:
        key = parse_key(status.key)
        if key is not None and status.key not in self._awaited:
            self._reporter.observe(decode_status(status, key, self._ports.known(status.key)))

    def _report_waiting(self, key: str) -> None:
        self._awaited.add(key)
        self._report(key, Phase.WAITING)

    def _report(self, key: str, phase: Phase, message: str = "") -> None:
        instance = parse_key(key)
        if instance is not None:
            self._reporter.observe(
                InstanceObservation(
                    key=instance, phase=phase, message=message, ports=self._ports.known(key)
                )
            )


async def _finish(work: Iterable[Coroutine[None, None, object]]) -> None:
    """Do everything at once and to the end, then raise the first failure there was."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
