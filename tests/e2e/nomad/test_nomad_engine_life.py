from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from prismctl.domain.observation import ComponentState, InstanceKey, Phase
from prismctl.domain.plan import Port
from prismctl.engine.nomad.applied import AppliedPlan, prepare, shim_place
from prismctl.engine.nomad.job import group_of
from prismctl.engine.nomad.ports import find_taken_ports
from prismctl.errors import UnavailableError

if TYPE_CHECKING:
    from tests.e2e.nomad.conftest import World

pytestmark = pytest.mark.e2e

CRASH = "import sys; print('no luck', flush=True); sys.exit(3)"


# Opens its port once it is told to, so that what depends on it is sure to wait.
HELD_BACK = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while not os.path.exists(os.environ["GO"]):
    time.sleep(0.01)
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    listener.accept()[0].close()
"""


async def test_a_stack_comes_up_in_order_and_leaves_nothing_behind(world: World) -> None:
    go = world.paths.directory / "go"
    admin = world.service("prism-admin", HELD_BACK, env={"GO": str(go)})
    launcher = world.service("pattern-launcher", depends_on=("prism-admin",))
    memstore = world.service("memstore")
    engine = await world.make_engine()
    await engine.open()
    assert world.recorder.components["nomad"].state is ComponentState.READY
    assert world.recorder.components["consul"].seconds is not None
    await world.apply(engine, world.plan(admin, launcher, memstore))
    await world.recorder.wait_for(
        lambda: any(
            getattr(seen, "message", "") == "waits for prism-admin in Consul"
            for seen in world.recorder.history
        ),
        "pattern-launcher waiting for prism-admin",
    )
    go.touch()
    for service in (admin, launcher, memstore):
        await world.recorder.wait_for_phase(f"{service.name}#0", Phase.RUNNING)
        await world.wait_until_accepts(service)
    first = world.recorder.instances["prism-admin#0"]
    second = world.recorder.instances["pattern-launcher#0"]
    assert first.started_at is not None
    assert second.started_at is not None
    assert first.started_at < second.started_at

    await engine.stop(kill=False)
    assert {seen.phase for seen in world.recorder.instances.values()} == {Phase.STOPPED}
    assert world.leftovers() == []
    assert find_taken_ports(engine._agents.ports) == []
    assert not world.layout.nomad.exists()


async def test_services_end_in_reverse_dependency_order(world: World) -> None:
    slow_end = """
import os, signal, socket, sys, time
def end(*_):
    time.sleep(0.2); print("ended", time.time_ns(), flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True: time.sleep(60)
"""
    below = world.service("below", slow_end)
    above = world.service("above", slow_end, depends_on=("below",))
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(below, above))
    await world.recorder.wait_for_phase("above#0", Phase.RUNNING)
    await world.wait_until(lambda: world.accepts(above.ports[0].number), "above")
    await engine.stop(kill=False)
    ended = {}
    for name in ("below", "above"):
        text = world.paths.log(f"{name}#0").read_text(encoding="utf-8")
        found = re.search(r"ended (\d+)", text)
        assert found, f"{name} did not end in good order, or its last words are lost: {text}"
        ended[name] = int(found[1])
    assert ended["above"] < ended["below"]


async def test_killing_takes_everything_at_once(world: World) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(world.service("stubborn", stubborn, ports=(), check=None)))
    await world.recorder.wait_for_phase("stubborn#0", Phase.RUNNING)
    await engine.stop(kill=True)
    assert world.leftovers() == []


async def test_a_killed_service_is_back_with_another_pid(world: World) -> None:
    service = world.service("redis")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    before = (await world.recorder.wait_for_phase("redis#0", Phase.RUNNING)).pid
    assert before is not None
    os.kill(before, 9)
    await world.recorder.wait_for(
        lambda: (
            world.recorder.instances["redis#0"].phase is Phase.RUNNING
            and world.recorder.instances["redis#0"].pid != before
            and world.recorder.instances["redis#0"].restarts == 1
        ),
        "another process",
    )
    assert world.recorder.instances["redis#0"].exit_signal == 9


async def test_a_crash_loop_is_given_up_and_tried_again_on_the_next_apply(world: World) -> None:
    service = world.service("broken", CRASH, ports=(), check=None)
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    seen = await world.recorder.wait_for_phase("broken#0", Phase.FAILED)
    assert seen.exit_code == 3
    assert seen.message == "gave up after 5 restarts: exited with code 3"
    log = world.paths.log("broken#0")
    await world.wait_until(
        lambda: log.read_text(encoding="utf-8").count("stdout F no luck") == 6, "6 lines"
    )
    await world.apply(engine, world.plan(service))
    await world.wait_until(
        lambda: log.read_text(encoding="utf-8").count("stdout F no luck") == 12, "6 more lines"
    )


async def test_a_dependent_of_a_hopeless_service_fails_and_says_which(world: World) -> None:
    broken = world.service("broken", CRASH)
    dependent = world.service("dependent", depends_on=("broken",))
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(broken, dependent))
    seen = await world.recorder.wait_for_phase("dependent#0", Phase.FAILED)
    assert seen.message == "broken can never be ready"


async def test_a_program_that_is_gone_is_named(world: World) -> None:
    program = world.paths.directory / "tool"
    shutil.copy("/bin/true", program)
    service = world.service("gone", command=(str(program),), ports=(), check=None)
    engine = await world.make_engine()
    await engine.open()
    applying = world.plan(service)
    program.write_text("#!/no/such/interpreter\n", encoding="utf-8")
    await world.apply(engine, applying)
    seen = await world.recorder.wait_for_phase("gone#0", Phase.FAILED)
    assert "cannot start" in seen.message
    assert str(program) in seen.message


async def test_a_one_shot_completes_and_its_dependent_waits_for_that(world: World) -> None:
    migrate = world.service("migrate", "print('done')", ports=(), check=None, one_shot=True)
    server = world.service("server", depends_on=("migrate",))
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(migrate, server))
    done = await world.recorder.wait_for_phase("migrate#0", Phase.COMPLETED)
    running = await world.recorder.wait_for_phase("server#0", Phase.RUNNING)
    assert done.exit_code == 0
    assert done.exited_at is not None
    assert running.started_at is not None
    assert running.started_at >= done.exited_at
    another = world.service("another")
    await world.apply(engine, world.plan(migrate, server, another))
    await world.recorder.wait_for_phase("another#0", Phase.RUNNING)
    assert world.paths.log("migrate#0").read_text(encoding="utf-8").count("done") == 1


async def test_another_plan_disturbs_only_what_it_changes(world: World) -> None:
    kept, changed, removed = (world.service(name) for name in ("kept", "changed", "removed"))
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(kept, changed, removed))
    for name in ("kept", "changed", "removed"):
        await world.recorder.wait_for_phase(f"{name}#0", Phase.RUNNING)
    before = {name: world.recorder.pid(f"{name}#0") for name in ("kept", "changed")}
    other = world.service("changed", ports=changed.ports, env={"NEW": "1"})
    added = world.service("added")
    await world.apply(engine, world.plan(kept, other, added))
    await world.recorder.wait_for_phase("added#0", Phase.RUNNING)
    await world.recorder.wait_for_phase("removed#0", Phase.STOPPED)
    await world.recorder.wait_for(
        lambda: (
            world.recorder.instances["changed#0"].phase is Phase.RUNNING
            and world.recorder.pid("changed#0") != before["changed"]
        ),
        "a new process of the changed service",
    )
    assert world.recorder.pid("kept#0") == before["kept"]
    assert not world.accepts(removed.ports[0].number)


async def test_what_came_back_as_soon_as_it_had_left_lost_the_files_that_were_written_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, moving = world.service("kept"), world.service("moving")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(kept, moving))
    before = (await world.recorder.wait_for_phase("moving#0", Phase.RUNNING)).pid
    plan = world.plan(kept, moving)
    group = group_of(plan, plan.service(moving.name), 0)
    loop, watch = asyncio.get_running_loop(), engine._watch

    async def see_it_gone() -> None:
        looks = 0

        def is_seen() -> bool:
            nonlocal looks
            looks += all(each.is_terminal for each in watch.placements.of(group))
            watch.request_listing()
            return looks > 3

        assert await watch.wait_for(is_seen, 20)

    def prepare_slowly(*arguments: Any) -> AppliedPlan:
        applied = prepare(*arguments)
        asyncio.run_coroutine_threadsafe(see_it_gone(), loop).result()
        return applied

    await world.apply(engine, world.plan(kept))
    monkeypatch.setattr("prismctl.engine.nomad.engine.prepare", prepare_slowly)
    await world.apply(engine, world.plan(kept, moving))
    await world.recorder.wait_for(
        lambda: (
            world.recorder.instances["moving#0"].phase is Phase.RUNNING
            and world.recorder.pid("moving#0") != before
        ),
        "a new process of what came back",
    )


async def test_a_service_that_becomes_a_one_shot_is_told_of_as_what_it_is_now(world: World) -> None:
    service = world.service("web")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    await world.recorder.wait_for_phase("web#0", Phase.RUNNING)
    once = world.service("web", "print('done')", ports=(), check=None, one_shot=True)
    await world.apply(engine, world.plan(once))
    await world.recorder.wait_for_phase("web#0", Phase.COMPLETED)
    assert shim_place(world.paths).environment_file(InstanceKey(once.name, 0)).exists()


async def test_a_replica_listens_on_a_port_of_its_own(world: World) -> None:
    service = world.service("redis", replicas=2)
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    first = await world.recorder.wait_for_phase("redis#0", Phase.RUNNING)
    second = await world.recorder.wait_for_phase("redis#1", Phase.RUNNING)
    assert first.ports == ()
    number = second.ports[0].number
    assert number != service.ports[0].number
    await world.wait_until(lambda: world.accepts(number), "the second replica")


async def test_restart_returns_once_new_processes_run(world: World) -> None:
    service = world.service("redis")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    before = (await world.recorder.wait_for_phase("redis#0", Phase.RUNNING)).pid
    await engine.restart([service.name])
    await world.recorder.wait_for_phase("redis#0", Phase.RUNNING)
    assert world.recorder.pid("redis#0") != before


async def test_a_new_daemon_adopts_everything_and_repeats_no_line(world: World) -> None:
    chatty = """
import itertools, time
for number in itertools.count():
    print(f"line {number}", flush=True); time.sleep(0.002)
"""
    service = world.service("chatty", chatty, ports=(), check=None)
    engine = await world.make_engine()
    await engine.open()
    plan = world.plan(service)
    await world.apply(engine, plan)
    before = await world.recorder.wait_for_phase("chatty#0", Phase.RUNNING)
    agents = {name: seen.pid for name, seen in world.recorder.components.items()}
    log = world.paths.log("chatty#0")
    await world.wait_until(lambda: log.exists() and log.stat().st_size > 5000, "some output")
    await world.let_go(engine)
    size = log.stat().st_size
    world.recorder.instances.clear()
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, plan)
    after = await world.recorder.wait_for_phase("chatty#0", Phase.RUNNING)
    assert after.pid == before.pid
    assert {name: seen.pid for name, seen in world.recorder.components.items()} == agents
    await world.wait_until(lambda: log.stat().st_size > 2 * size, "more output")
    await engine.stop(kill=False)
    numbers = [int(n) for n in re.findall(r"F line (\d+)\n", log.read_text(encoding="utf-8"))]
    assert numbers == list(range(len(numbers)))


async def test_what_a_service_says_while_it_ends_is_kept(world: World) -> None:
    last_words = """
import signal, sys, time
def end(*_):
    for number in range(2000): print("last", number)
    print("unfinished", end="", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: time.sleep(60)
"""
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(world.service("talker", last_words, ports=(), check=None)))
    log = world.paths.log("talker#0")
    await world.wait_until(
        lambda: log.exists() and "up" in log.read_text(encoding="utf-8"), "the first word"
    )
    await engine.stop(kill=False)
    text = log.read_text(encoding="utf-8")
    assert text.count("stdout F last ") == 2000
    assert text.endswith("stdout F unfinished\n")


async def test_no_secret_is_in_the_job_and_the_service_has_it(world: World) -> None:
    show = "import os, time; print('got', os.environ['TOKEN'], flush=True); time.sleep(600)"
    service = world.service(
        "keeper-of-secrets",
        show,
        ports=(),
        check=None,
        env={"TOKEN": "hush-hush"},
        secrets=frozenset({"TOKEN"}),
    )
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    log = world.paths.log("keeper-of-secrets#0")
    await world.wait_until(
        lambda: log.exists() and "got hush-hush" in log.read_text(encoding="utf-8"), "the secret"
    )
    job = await engine._agents.nomad.http.call("GET", "/v1/job/prism-stack")
    assert "hush-hush" not in str(job)
    for path in world.paths.environments.glob("*.env"):
        assert path.stat().st_mode & 0o077 == 0


async def test_typed_commands_and_browsers_get_in_and_strangers_do_not(world: World) -> None:
    service = world.service("prism-admin")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    await world.recorder.wait_for_phase("prism-admin#0", Phase.RUNNING)
    variables = engine.environment()
    environment = {**os.environ, **variables}

    async def run(*argv: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run, argv, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert "prism-stack" in await run(str(world.tools.nomad), "job", "status")
    assert "prism-admin" in await run(str(world.tools.consul), "catalog", "services")
    await world.wait_until(lambda: world.accepts(service.ports[0].number), "admin")
    logs = await run(str(world.tools.nomad), "alloc", "logs", "-job", "prism-stack", "prism-admin")
    assert logs == "listens\n"

    nomad, consul = variables["NOMAD_ADDR"], variables["CONSUL_HTTP_ADDR"]
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(f"{nomad}/v1/jobs") as answer:
            assert answer.status == 403
        async with stranger.put(f"{nomad}/v1/jobs", json={}) as answer:
            assert answer.status in {400, 403}
        async with stranger.put(f"{consul}/v1/kv/x", data="1") as answer:
            assert answer.status == 403
        async with stranger.get(f"{consul}/v1/catalog/services") as answer:
            assert "prism-admin" in await answer.json()
        async with stranger.get(await engine.login_url("nomad"), allow_redirects=True) as answer:
            assert answer.status == 200
    assert engine.endpoints() == {"nomad_ui": f"{nomad}/ui/", "consul_ui": f"{consul}/ui/"}
    for path in (world.layout.credentials, world.layout.nomad_configuration):
        assert path.stat().st_mode & 0o077 == 0


def ask_dns(name: str, port: int) -> bool:
    """Whether the server says, as `dig` would show, that the name is 127.0.0.1."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = labels + b"\0\0\1\0\1"  # an address (A), on the Internet (IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2)
        asker.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question, ("127.0.0.1", port))
        answer = asker.recv(512)
    return answer[6:8] == b"\0\1" and b"\0\4" + socket.inet_aton("127.0.0.1") in answer


async def test_a_service_is_found_by_dns_once_it_answers(world: World) -> None:
    service = world.service("prism-admin")
    engine = await world.make_engine()
    await engine.open()
    await world.apply(engine, world.plan(service))
    port = engine.environment()["PRISM_CONSUL_DNS_PORT"]
    await world.wait_until(
        lambda: ask_dns("prism-admin.service.consul", int(port)), "an answer by name"
    )


async def test_a_service_whose_port_is_taken_fails_and_the_agents_stay_away_from_it(
    world: World,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        held = holder.getsockname()[1]
        engine = await world.make_engine()
        service = world.service("redis", ports=(Port(name="main", number=held),))
        await engine.open()
        ports = engine._agents.ports
        assert held not in {getattr(ports, name) for name in type(ports).__dataclass_fields__}
        await world.apply(engine, world.plan(service))
        seen = await world.recorder.wait_for_phase("redis#0", Phase.FAILED)
    assert "exited with code 1" in seen.message


async def test_an_agent_that_cannot_start_is_reported_with_its_last_words(world: World) -> None:
    script = world.paths.directory / "consul"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"if sys.argv[1] == 'tls': os.execv({str(world.tools.consul)!r}, sys.argv)\n"
        "print('no luck today')\n"
        "raise SystemExit(1)\n"
    )
    script.chmod(0o755)
    world.tools = type(world.tools)(nomad=world.tools.nomad, consul=script)
    engine = await world.make_engine()
    with pytest.raises(UnavailableError, match="Consul ended while starting: no luck today"):
        await engine.open()
    assert world.leftovers() == []
