from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from prismctl.domain.observation import (
    ComponentObservation,
    ComponentState,
    InstanceObservation,
    Phase,
)
from prismctl.engine.nomad.processes import find_process

if TYPE_CHECKING:
    from prismctl.engine.nomad.engine import NomadEngine
    from tests.e2e.nomad.conftest import World

pytestmark = pytest.mark.e2e


async def start(world: World) -> NomadEngine:
    admin = world.service("prism-admin")
    launcher = world.service("pattern-launcher", depends_on=("prism-admin",))
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(admin, launcher))
    await world.recorder.wait_for_phase("pattern-launcher#0", Phase.RUNNING)
    return engine


def agent_pid(world: World, name: str) -> int:
    pid = world.recorder.components[name].pid
    assert pid is not None
    return pid


async def registered_services(engine: NomadEngine) -> set[str]:
    return set(await engine._agents.consul.http.call("GET", "/v1/catalog/services"))


async def wait_for_agent(world: World, name: str, before: int) -> None:
    await world.recorder.wait_for(
        lambda: (
            world.recorder.components[name].state is ComponentState.READY
            and world.recorder.components[name].pid != before
        ),
        f"another {name}",
    )


async def wait_for_new_processes(world: World, before: dict[str, int]) -> None:
    def is_new() -> bool:
        seen = world.recorder.instances
        return all(
            seen[key].phase is Phase.RUNNING and seen[key].pid != pid for key, pid in before.items()
        )

    await world.recorder.wait_for(is_new, f"new processes of {', '.join(before)}")


async def test_a_killed_nomad_comes_back_with_the_stack_and_without_orphans(world: World) -> None:
    engine = await start(world)
    keys = ("prism-admin#0", "pattern-launcher#0")
    before = {key: world.recorder.pid(key) for key in keys}
    nomad, address = agent_pid(world, "nomad"), engine.environment()
    os.kill(nomad, signal.SIGKILL)
    await wait_for_agent(world, "nomad", nomad)
    await wait_for_new_processes(world, before)
    assert not any(find_process(pid) for pid in before.values())
    assert engine.environment() == address
    told = [
        seen.state
        for seen in world.recorder.history
        if isinstance(seen, ComponentObservation) and seen.name == "nomad"
    ]
    assert told[-3:] == [ComponentState.LOST, ComponentState.STARTING, ComponentState.READY]
    assert world.recorder.components["nomad"].is_anew
    assert not [note for note in world.recorder.notes if note[0] == "component.lost"]


async def test_nomad_is_not_called_ready_while_services_wait_for_it_to_be_brought_back(
    world: World,
) -> None:
    await start(world)
    nomad = agent_pid(world, "nomad")
    os.kill(nomad, signal.SIGKILL)
    await wait_for_agent(world, "nomad", nomad)
    await world.recorder.wait_for_phase("pattern-launcher#0", Phase.RUNNING)
    history = world.recorder.history
    is_ready = max(
        place
        for place, seen in enumerate(history)
        if isinstance(seen, ComponentObservation) and seen.state is ComponentState.READY
    )
    waiting = [
        place
        for place, seen in enumerate(history)
        if isinstance(seen, InstanceObservation) and "being brought back" in seen.message
    ]
    assert waiting
    assert max(waiting) < is_ready


async def test_a_killed_consul_comes_back_and_no_service_notices(world: World) -> None:
    engine = await start(world)
    before = {key: world.recorder.pid(key) for key in world.recorder.instances}
    consul = agent_pid(world, "consul")
    os.kill(consul, signal.SIGKILL)
    await wait_for_agent(world, "consul", consul)
    assert not world.recorder.components["consul"].is_anew
    names: set[str] = set()
    while not {"prism-admin", "pattern-launcher"} <= names:
        names = await registered_services(engine)
    assert {key: world.recorder.pid(key) for key in world.recorder.instances} == before


async def test_both_agents_killed_at_once_come_back(world: World) -> None:
    engine = await start(world)
    before = {key: world.recorder.pid(key) for key in world.recorder.instances}
    nomad, consul = agent_pid(world, "nomad"), agent_pid(world, "consul")
    os.kill(consul, signal.SIGKILL)
    os.kill(nomad, signal.SIGKILL)
    await wait_for_agent(world, "consul", consul)
    await wait_for_agent(world, "nomad", nomad)
    await wait_for_new_processes(world, before)
    assert "prism-admin" in await registered_services(engine)


async def test_restarts_that_were_asked_for_do_not_count_after_the_daemon_has_died(
    world: World,
) -> None:
    engine = await start(world)
    plan = world.readiness.plan
    assert plan is not None
    await engine.restart([plan.service("prism-admin").name])
    await world.recorder.wait_for_phase("prism-admin#0", Phase.RUNNING)
    assert world.recorder.instances["prism-admin#0"].restarts == 0
    pid = world.recorder.pid("prism-admin#0")
    await world.let_go(engine)
    world.recorder.instances.clear()
    successor = await world.make_engine()
    await successor.open()
    await world.apply(successor, plan)
    seen = await world.recorder.wait_for_phase("prism-admin#0", Phase.RUNNING)
    assert (seen.pid, seen.restarts) == (pid, 0)


async def test_nomad_restarts_services_while_no_daemon_is_there(world: World) -> None:
    engine = await start(world)
    plan = world.readiness.plan
    assert plan is not None
    before = world.recorder.pid("prism-admin#0")
    await world.let_go(engine)
    os.kill(before, signal.SIGKILL)
    number = plan.service("prism-admin").ports[0].number
    await world.wait_until(lambda: find_process(before) is None, "the end of the old process")
    await world.wait_until(lambda: world.accepts(number), "a new process without a daemon")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, plan)
    await world.recorder.wait_for(
        lambda: world.recorder.instances["prism-admin#0"].pid not in {None, before},
        "the new process reported",
    )


async def test_a_daemon_that_finds_only_consul_starts_nomad_again(world: World) -> None:
    engine = await start(world)
    plan = world.readiness.plan
    assert plan is not None
    before = {key: world.recorder.pid(key) for key in world.recorder.instances}
    nomad, consul = agent_pid(world, "nomad"), agent_pid(world, "consul")
    await world.let_go(engine)
    os.kill(nomad, signal.SIGKILL)
    await world.wait_until(lambda: find_process(nomad) is None, "the end of Nomad")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, plan)
    await wait_for_new_processes(world, before)
    assert agent_pid(world, "consul") == consul


async def test_a_suspended_keeper_death_takes_the_stack_along(world: World) -> None:
    engine = await start(world)
    os.kill(world.keeper_pid, signal.SIGKILL)
    await world.wait_until(lambda: world.leftovers() == [] or _no_processes(world), "nothing left")
    await world.let_go(engine)


def _no_processes(world: World) -> bool:
    return not any(" " in entry for entry in world.leftovers())
