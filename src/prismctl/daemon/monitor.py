"""Everything known about the stack, in one place: facts come in, one snapshot and the events come out."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.daemon.container_ending import explain_ending
from prismctl.daemon.disk_room import describe_full_disk
from prismctl.daemon.hiding import hide_in_snapshot
from prismctl.daemon.inner_processes import find_inner_processes
from prismctl.daemon.latest import LatestValue
from prismctl.daemon.meter_targets import find_target
from prismctl.daemon.narration import narrate_component, narrate_instance
from prismctl.daemon.narrator import Narrator
from prismctl.daemon.obstacles import find_obstacle
from prismctl.daemon.questions import find_question
from prismctl.domain.events import EventKind
from prismctl.domain.fold import fold_components, fold_snapshot
from prismctl.domain.observation import (
    ComponentObservation,
    ComponentState,
    InstanceKey,
    InstanceObservation,
    Phase,
    WorldView,
)
from prismctl.domain.redaction import NOTHING_HIDDEN
from prismctl.domain.servers.registry import describe_durability
from prismctl.domain.service import Runtime, StackName
from prismctl.domain.snapshot import StackSnapshot, stopped_snapshot
from prismctl.domain.stack_history import (
    StackHistory,
    add_comeback,
    add_note,
    add_setback,
    advance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prismctl.daemon.event_log import EventLog
    from prismctl.daemon.inner_processes import InnerProcess
    from prismctl.daemon.metering import Metering
    from prismctl.domain.observation import Observation, ProbeResult, UsageSample
    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.rates import Traffic
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import StackPaths
    from prismctl.probes.scheduler import ProbeScheduler

COALESCE_SECONDS: Final = 0.004
"""Facts that come this close together make one snapshot."""
FOLD_SHARE: Final = 4
"""A snapshot that takes long to make is made less often: this many times its own time lies between two."""
NEWS_SECONDS: Final = 1.0
"""How old a setback is, is told in whole seconds; and some time it is news no more."""
UNSETTLED_SECONDS: Final = 0.5
"""While something is waited for, time itself changes what is to be said (start periods, next tries)."""
_ELSEWHERE: Final = "elsewhere"
"""The run of what no engine runs."""
_ENDED_PHASES: Final = frozenset({Phase.STOPPED, Phase.COMPLETED, Phase.FAILED})
_LIVE_PHASES: Final = frozenset({Phase.RUNNING, Phase.STOPPING})


class Monitor:
    """The newest facts, and the snapshot they fold into; a `Reporter` for engines."""

    def __init__(self, paths: StackPaths, events: EventLog) -> None:
        self._paths = paths
        self._events = events
        self._stack = StackName(paths.name)
        self._plan: StackPlan | None = None
        self._services: dict[ServiceName, ServicePlan] = {}
        self._engine_name = ""
        self._history = StackHistory(memory_limit_bytes=_machine_memory_bytes())
        self._passing_notes: dict[str, tuple[str, ...]] = {}
        """By who keeps them true."""
        self._disk_note = ""
        self._lost_at: dict[str, float] = {}
        """Components that are not back yet."""
        self._world = WorldView()
        self._probes: ProbeScheduler | None = None
        self._metering: Metering | None = None
        self._endpoints: Callable[[], dict[str, str]] = dict
        self._dashboard_url = ""
        self._is_dirty = False
        self._fold_seconds = 0.0
        self._narrator = Narrator(events)
        self._timer: asyncio.TimerHandle | None = None
        self._on_progress: Callable[[], None] = lambda: None
        self.redactor = NOTHING_HIDDEN
        """Hides secrets in what snapshots say."""
        self.snapshots: LatestValue[StackSnapshot] = LatestValue(self._fold())

    # What it is given to work with.

    def use_probes(self, probes: ProbeScheduler, on_progress: Callable[[], None]) -> None:
        """Ask through these; ``on_progress`` is called when the history has changed."""
        self._probes = probes
        self._on_progress = on_progress

    def use_metering(self, metering: Metering) -> None:
        """Let this know of every run whose counters can be read."""
        self._metering = metering

    def use_engine(self, name: str, endpoints: Callable[[], dict[str, str]]) -> None:
        """An engine reports from now on; what an earlier one said is about the past."""
        self._engine_name = name
        self._endpoints = endpoints
        self._touch()

    @property
    def history(self) -> StackHistory:
        """How the stack came to be where it is."""
        return self._history

    @property
    def plan(self) -> StackPlan | None:
        """What shall run."""
        return self._plan

    @property
    def service_names(self) -> frozenset[str]:
        """Of what shall run."""
        return frozenset(self._services)

    def begin(self, plan: StackPlan, history: StackHistory) -> None:
        """This is the plan from now on; instances it does not have are forgotten once they are gone."""
        self._plan = plan
        self._services = {service.name: service for service in plan.services}
        self._history = replace(
            history,
            memory_limit_bytes=self._history.memory_limit_bytes,
            notes=self._history.notes,
        )
        self._forget_surplus()
        self._look_elsewhere()
        for seen in list(self._world.instances.values()):
            self._question(seen)
        self._touch()

    def _forget_surplus(self) -> None:
        """Of instances that have ended and that the plan does not have, nobody will tell any more."""
        for key, seen in list(self._world.instances.items()):
            service = self._services.get(key.service)
            is_surplus = service is None or key.replica >= service.replicas
            if is_surplus and seen.phase in _ENDED_PHASES and seen.run != _ELSEWHERE:
                self._forget(key)

    def _look_elsewhere(self) -> None:
        """Take what runs elsewhere for running: no engine tells of it, only its answers count."""
        external = {
            InstanceKey(service.name, 0)
            for service in self._services.values()
            if service.runtime is Runtime.EXTERNAL
        }
        for key, seen in list(self._world.instances.items()):
            if seen.run == _ELSEWHERE and key not in external:
                self._forget(key)
        for key in external:
            known = self._world.instances.get(key)
            if known is None or known.run != _ELSEWHERE:
                self._world.instances[key] = InstanceObservation(
                    key=key, phase=Phase.RUNNING, started_at=time.time(), run=_ELSEWHERE
                )

    def mark_stopping(self) -> None:
        """Everything goes down on purpose."""
        self._history = replace(self._history, is_stopping=True)
        self._touch()

    def end(self) -> None:
        """Nothing runs any more."""
        for key in list(self._world.instances):
            self._forget(key)
        self._plan = None
        self._services = {}
        self._history = StackHistory(memory_limit_bytes=self._history.memory_limit_bytes)
        self._world = WorldView()
        self._narrator.forget()
        self._lost_at.clear()
        self._touch()

    def forget_world(self) -> None:
        """What was known is void: the keeper, and all it kept, is gone."""
        for key in list(self._world.instances):
            self._forget(key)
        self._world = WorldView(components=dict(self._world.components))
        self._look_elsewhere()
        for seen in list(self._world.instances.values()):
            self._question(seen)
        self._touch()

    def expect_settling(self) -> None:
        """Something was asked for: until it has settled, what is not up is starting, not lost."""
        self._history = replace(self._history, has_settled=False)
        self._touch()

    def add_note(self, note: str) -> None:
        """Something that somebody who looks at the stack should know."""
        self._history = add_note(self._history, note)
        self._touch()

    def show_notes(self, notes: tuple[str, ...], source: str = "usage") -> None:
        """What is to be known as long as it is so, by whom; empty: nothing any more."""
        if notes != self._passing_notes.get(source, ()):
            self._passing_notes[source] = notes
            self._touch()

    def lose_component(self, name: str) -> None:
        """Take note of when something was lost that runs the services."""
        self._lost_at.setdefault(name, time.time())

    def take_comeback(self, name: str) -> None:
        """It is back, and everything that it ran was started anew: to be known as long as this start lasts."""
        now = time.time()
        lost_at = self._lost_at.pop(name, now)
        self._history = add_comeback(self._history, name, lost_at, now)
        self._on_progress()
        self._touch()

    def show_dashboard(self, url: str) -> None:
        """The page is served there; empty: nowhere."""
        self._dashboard_url = url
        self._touch()

    # The reporter.

    def observe(self, observation: Observation) -> None:
        """Take note of a fact."""
        if isinstance(observation, ComponentObservation):
            self._observe_component(observation)
        else:
            self._observe_instance(observation)
        self._touch()

    def note(self, kind: EventKind, service: str, message: str) -> None:
        """Take note of something that happened."""
        self._events.append(kind, service=service, message=message)

    def take_answer(self, result: ProbeResult) -> None:
        """Take note of a probe's answer; one about an earlier run is dropped."""
        seen = self._world.instances.get(result.key)
        if seen is None or seen.run != result.run:
            return
        before = self._world.probes.get(result.key)
        self._world.probes[result.key] = result
        if result.is_ok:
            self._world.healthy_since.setdefault(result.key, result.at)
        # The same refusal for the hundredth time changes nothing that has to be told at once.
        if before is None or (before.is_ok, before.run) != (result.is_ok, result.run):
            self._touch()

    def take_usage(
        self, samples: Iterable[UsageSample], *, suspended_components: frozenset[str] = frozenset()
    ) -> None:
        """Take note of what the instances use, those not among them nothing, and of which agents are held.

        That is also when the disk is looked at.
        """
        disk_note = describe_full_disk(self._paths.directory.parent.parent)
        if disk_note != self._disk_note:
            self._disk_note = disk_note
            self._touch()
        before = (dict(self._world.usage), frozenset(self._world.suspended_components))
        self._world.usage.clear()
        self._world.usage.update({sample.key: sample for sample in samples})
        self._world.suspended_components.clear()
        self._world.suspended_components.update(suspended_components)
        if before != (self._world.usage, suspended_components):
            self._touch()

    def take_traffic(self, traffic: Mapping[ServiceName, Traffic]) -> None:
        """Take note of what goes through the services; through those not among them, nothing is known to."""
        if traffic != self._world.traffic:
            self._world.traffic.clear()
            self._world.traffic.update(traffic)
            self._touch()

    def has_answered(self, key: InstanceKey) -> bool:
        """Whether the present run of an instance was ever found ready."""
        return key in self._world.healthy_since

    def component_pids(self) -> dict[str, int]:
        """The process of every agent of the engine that has one on this machine."""
        return {
            name: seen.pid for name, seen in self._world.components.items() if seen.pid is not None
        }

    def main_pids(self) -> dict[InstanceKey, int]:
        """The main process of every instance that has one on this machine."""
        return {
            key: seen.pid
            for key, seen in self._world.instances.items()
            if seen.pid is not None and seen.phase in _LIVE_PHASES
        }

    def inner_processes(self) -> dict[InstanceKey, InnerProcess]:
        """The first process inside the container of every instance that is one, and what ends a pause of it."""
        if self._plan is None:
            return {}
        return find_inner_processes(self._world.instances, self._plan, self._paths)

    def was_tried(self, service: ServiceName) -> bool:
        """Whether a process of the service has ever run, as far as the newest facts tell."""
        return any(
            seen.has_begun for key, seen in self._world.instances.items() if key.service == service
        )

    # The snapshot.

    def refresh(self) -> StackSnapshot:
        """The snapshot of what is known at this moment."""
        if self._is_dirty:
            self._publish()
        return self.snapshots.value

    def close(self) -> None:
        """Publish nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Inside.

    def _observe_component(self, after: ComponentObservation) -> None:
        before = self._world.components.get(after.name)
        self._world.components[after.name] = after
        if after.state is ComponentState.STOPPED:
            del self._world.components[after.name]
            self._lost_at.pop(after.name, None)
        if after.state is ComponentState.LOST:
            self.lose_component(after.name)
        elif after.state is ComponentState.READY:
            if after.is_anew and self._plan is not None:
                self.take_comeback(after.name)
            self._lost_at.pop(after.name, None)
        self._narrator.tell(narrate_component(before, after))

    def _observe_instance(self, after: InstanceObservation) -> None:
        key = after.key
        service = self._services.get(key.service)
        before = self._world.instances.get(key)
        if service is not None:
            after = explain_ending(after, service, self._paths)
            after = find_obstacle(after, before, service, self._paths)
        self._world.instances[key] = after
        if before is None or before.run != after.run:
            self._world.probes.pop(key, None)
            self._world.healthy_since.pop(key, None)
            self._world.usage.pop(key, None)
        told = narrate_instance(before, after)
        if told and self._is_dirty and service is not None and service.depends_on:
            # That what it waited for is healthy comes before that it starts.
            self._publish()
        self._narrator.tell(told)
        is_done = service is not None and service.one_shot and after.exit_code == 0
        if any(each.kind is EventKind.SERVICE_EXITED for each in told) and not is_done:
            self._history = add_setback(self._history, after, time.time())
        if key.service not in self._services and after.phase in _ENDED_PHASES:
            self._forget(key)
        else:
            self._question(after)

    def _question(self, seen: InstanceObservation) -> None:
        if self._probes is None or self._plan is None:
            return
        service = self._services.get(seen.key.service)
        question = None
        if service is not None:
            question = find_question(seen, service, self._plan, self._paths)
        if question is None:
            self._probes.forget(seen.key)
        else:
            self._probes.ask(question)
        if self._metering is not None:
            target = None
            if question is not None and service is not None:
                target = find_target(question, service, seen.ports)
            self._metering.follow(seen.key, target)

    def _forget(self, key: InstanceKey) -> None:
        for known in (
            self._world.instances,
            self._world.probes,
            self._world.usage,
            self._world.healthy_since,
        ):
            known.pop(key, None)
        if self._probes is not None:
            self._probes.forget(key)
        if self._metering is not None:
            self._metering.forget(key)

    def _touch(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._schedule(max(COALESCE_SECONDS, FOLD_SHARE * self._fold_seconds))

    def _schedule(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._publish)

    def _publish(self) -> None:
        self.close()
        self._is_dirty = False
        before = self.snapshots.value
        began = time.perf_counter()
        after = self._fold()
        self._fold_seconds = time.perf_counter() - began
        been_up = self._history.healthy_after_seconds
        history = advance(self._history, after, time.time())
        if history is not self._history:
            self._history = history
            after = self._fold()
            self._on_progress()
        self.snapshots.set(after)
        known = self._history.healthy_after_seconds
        first_seconds = {name: known[name] for name in known.keys() - been_up.keys()}
        self._narrator.compare(before, after, time.time(), first_seconds)
        if not all(service.is_settled for service in after.services):
            self._schedule(UNSETTLED_SECONDS)
        elif any(service.alarm for service in after.services):
            self._schedule(NEWS_SECONDS)

    def _fold(self) -> StackSnapshot:
        endpoints = self._endpoints()
        if self._dashboard_url and self._plan is not None:
            endpoints = {"dashboard": self._dashboard_url, **endpoints}
        disk_notes = (self._disk_note,) if self._disk_note else ()
        passing = itertools.chain.from_iterable(self._passing_notes.values())
        notes = (*self._history.notes, *passing, *disk_notes)
        if self._plan is None:
            nothing = stopped_snapshot(self._stack, self._engine_name)
            return replace(
                nothing,
                components=fold_components(self._world),
                endpoints=endpoints,
                notes=notes,
                memory_limit_bytes=self._history.memory_limit_bytes,
            )
        # What is so as long as this plan is.
        notes = (*notes, *describe_durability(self._plan.services))
        history = replace(self._history, endpoints=endpoints, notes=notes)
        return hide_in_snapshot(
            fold_snapshot(self._plan, self._world, time.time(), history), self.redactor
        )


def _machine_memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
