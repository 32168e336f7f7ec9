"""What every engine promises, through the daemon and its API: one suite, each engine."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prismctl.client import StackCondition, find_condition
from prismctl.domain.plan import EngineName, Port
from prismctl.domain.service import CheckType, HealthCheck, Resources
from prismctl.files.logs import read_logs
from tests.free_ports import take_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prismctl.domain.plan import ServicePlan
    from tests.conftest import StackLab

pytestmark = pytest.mark.timeout(180)


class Trial:
    """One stack on one engine, which takes note of every process it ever saw."""

    def __init__(self, lab: StackLab, engine: EngineName) -> None:
        self.lab = lab
        self.engine = engine
        self.seen: set[int] = set()

    def run(self, *services: ServicePlan, **options: Any) -> dict[str, Any]:
        """Start or change the stack; the result."""
        if find_condition(self.lab.paths) is not StackCondition.RUNNING:
            self.lab.start(self.engine.value)
        result = self.lab.apply(self.lab.plan(*services, engine=self.engine), **options)[1]
        self.note(result["status"])
        return result

    def note(self, status: dict[str, Any]) -> dict[str, int]:
        pids = {}
        for service in status["services"]:
            found = [instance["pid"] for instance in service["instances"] if instance["pid"]]
            self.seen.update(found)
            pids[service["name"]] = service["pid"]
        return pids

    def pids(self) -> dict[str, int]:
        return self.note(self.lab.client.status())

    def states(self) -> dict[str, str]:
        services = self.lab.client.status()["services"]
        return {service["name"]: service["state"] for service in services}


def find_tool(name: str) -> Path | None:
    directory = os.environ.get("PRISM_TOOLS_DIR")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "prismctl", "tools")
    places = (Path(directory) / name if directory else cache / name, cache / name)
    built = next((place for place in places if place.exists()), None)
    found = shutil.which(name)
    return built or (Path(found) if found else None)


@pytest.fixture(
    params=[
        pytest.param(EngineName.LOCAL, id="local"),
        pytest.param(EngineName.NOMAD, id="nomad", marks=pytest.mark.e2e),
    ]
)
def trial(
    request: pytest.FixtureRequest, lab: StackLab, wait_until: Callable[..., None]
) -> Iterator[Trial]:
    engine: EngineName = request.param
    if engine is EngineName.NOMAD:
        tools = lab.home / "bin"
        tools.mkdir(parents=True)
        for name in ("nomad", "consul"):
            tool = find_tool(name)
            if tool is None:
                pytest.fail("Nomad and Consul are not there: `make tools` builds them")
            (tools / name).symlink_to(tool.resolve())
    trial = Trial(lab, engine)
    yield trial
    if find_condition(lab.paths) is StackCondition.RUNNING:
        trial.pids()
        list(lab.client.stop())
    wait_until(lambda: not [pid for pid in trial.seen if is_alive(pid)])


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def time_of(events: list[dict[str, Any]], kind: str, service: str) -> float:
    return next(
        float(event["time"])
        for event in events
        if (event["kind"], event["service"]) == (kind, service)
    )


def test_a_plan_runs_in_dependency_order_and_is_told_truly(trial: Trial) -> None:
    lab = trial.lab
    result = trial.run(lab.http("base"), lab.http("top", needs=("base",)))

    assert result["outcome"] == "ready"
    assert (result["status"]["state"], result["status"]["engine"]) == ("running", trial.engine)
    events = list(lab.client.events())
    base_was_healthy = time_of(events, "service.healthy", "base")
    # An engine may see for itself that a service is good, a moment before our own probe does.
    assert time_of(events, "service.starting", "top") > base_was_healthy - 0.25
    for service in result["status"]["services"]:
        environment = Path(f"/proc/{service['pid']}/environ").read_bytes().split(b"\0")
        assert f"PRISM_SERVICE={service['name']}".encode() in environment
        assert f"PORT={service['ports'][0]['port']}".encode() in environment


def test_what_services_reserve_is_no_reason_not_to_start_them(trial: Trial) -> None:
    lab = trial.lab
    # More than any machine has, and together more than any round number somebody would call enough.
    greedy = Resources(cpu_mhz=1_000_000, memory_mb=100_000)
    vast = Resources(cpu_mhz=1_000_000, memory_mb=1 << 20)
    services = [
        lab.shell(f"sleeper-{number}", "exec sleep 600", resources=greedy) for number in range(12)
    ]
    result = trial.run(*services, lab.shell("vast", "exec sleep 600", resources=vast))
    assert result["outcome"] == "ready"
    assert set(trial.states().values()) == {"healthy"}


LOADING_STORE = """
import os, socketserver
asked = 0
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        global asked
        for line in self.rfile:
            if line == b"PING\\r\\n":
                asked += 1
                self.wfile.write(b"+PONG\\r\\n" if asked > 20 else b"-LOADING wait\\r\\n")
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
"""Accepts at once, and serves from the 21st question on."""


def test_a_dependent_waits_for_an_answer_in_the_protocol_of_what_it_needs(trial: Trial) -> None:
    lab = trial.lab
    port = take_port()
    store = lab.python(
        "store",
        LOADING_STORE,
        ports=(Port(name="db", number=port),),
        check=HealthCheck(type=CheckType.REDIS, port=port),
    )

    result = trial.run(store, lab.service("top", needs=("store",)))

    assert result["outcome"] == "ready"
    events = list(lab.client.events())
    store_served = time_of(events, "service.healthy", "store")
    assert store_served > time_of(events, "service.starting", "store") + 0.5
    assert time_of(events, "service.starting", "top") > store_served - 0.25


def test_a_killed_service_comes_back(trial: Trial) -> None:
    trial.run(trial.lab.http("web"))
    before = trial.pids()["web"]

    os.kill(before, signal.SIGKILL)
    status = trial.lab.wait_for_service(
        "web", lambda service: service["restarts"] >= 1 and service["state"] == "healthy"
    )

    assert status["pid"] != before
    assert status["last_error"] == "was killed by SIGKILL"


def test_a_crash_loop_fails_and_its_dependents_are_skipped(trial: Trial) -> None:
    lab = trial.lab
    result = trial.run(
        # Nobody takes it for healthy, however long a busy machine lets it live.
        lab.shell("bad", "echo out of luck; exit 3", min_uptime_seconds=20.0),
        lab.service("after", needs=("bad",)),
        lab.http("good"),
    )

    assert result["outcome"] == "partial"
    assert (result["failed"], result["skipped"]) == (["bad"], ["after"])
    assert "with code 3" in lab.service_status("bad")["reason"]
    assert "bad" in lab.service_status("after")["reason"]
    assert "out of luck" in {line["text"] for line in lab.client.logs(["bad"])}


def test_a_one_shot_completes_and_lets_its_dependents_go_on(trial: Trial) -> None:
    lab = trial.lab
    trial.run(lab.shell("migrate", "exit 0", one_shot=True), lab.http("app", needs=("migrate",)))

    assert trial.states() == {"migrate": "completed", "app": "healthy"}


def test_a_restart_leaves_dependents_alone(trial: Trial) -> None:
    lab = trial.lab
    trial.run(lab.http("base"), lab.http("top", needs=("base",)))
    before = trial.pids()

    result = list(lab.client.restart(["base"]))[-1]["result"]

    after = trial.note(result["status"])
    assert result["outcome"] == "ready"
    assert after["base"] != before["base"]
    assert after["top"] == before["top"]


def test_another_plan_touches_only_what_is_different(trial: Trial) -> None:
    lab = trial.lab
    same, changed, gone = lab.http("same"), lab.http("changed"), lab.http("gone")
    trial.run(same, changed, gone)
    before = trial.pids()

    result = trial.run(same, replace(changed, env={"COLOUR": "blue"}), lab.http("new"))

    after = trial.pids()
    assert result["outcome"] == "ready"
    assert set(after) == {"same", "changed", "new"}
    assert after["same"] == before["same"]
    assert after["changed"] != before["changed"]
    assert not is_alive(before["gone"])


def test_replicas_listen_on_ports_of_their_own(trial: Trial) -> None:
    result = trial.run(replace(trial.lab.http("web"), replicas=2))

    (web,) = result["status"]["services"]
    ports = [instance["ports"][0]["port"] for instance in web["instances"]]
    assert web["replicas"] == {"wanted": 2, "healthy": 2}
    assert len(set(ports)) == 2


def test_services_outlive_a_killed_daemon(trial: Trial, wait_until: Callable[..., None]) -> None:
    lab = trial.lab
    trial.run(lab.http("base"), lab.http("top", needs=("base",)))
    before = trial.pids()
    killed = lab.daemon_pid()

    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: lab.client.status()["state"] == "running")
    assert lab.daemon_pid() != killed
    assert trial.pids() == before


def test_a_killed_keeper_costs_a_restart_of_everything_and_no_more(
    trial: Trial, wait_until: Callable[..., None]
) -> None:
    lab = trial.lab
    trial.run(lab.http("base"), lab.http("top", needs=("base",)))
    before = trial.pids()

    os.kill(lab.keeper_pid(), signal.SIGKILL)

    wait_until(lambda: "a new keeper runs" in str(list(lab.client.events())), seconds=60)
    wait_until(lambda: set(trial.states().values()) == {"healthy"}, seconds=60)
    assert not set(trial.pids().values()) & set(before.values())
    wait_until(lambda: not [pid for pid in before.values() if is_alive(pid)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_service_runs_as_its_user_and_dies_with_the_keeper_like_any_other(
    trial: Trial, wait_until: Callable[..., None]
) -> None:
    lab = trial.lab
    script = "id -un >> who; exec sleep 1000"
    result = trial.run(lab.shell("db", script, user="nobody"))
    assert result["outcome"] == "ready", result
    pid = trial.pids()["db"]
    who = lab.paths.data / "db" / "who"
    wait_until(lambda: who.exists() and who.read_text(encoding="utf-8") == "nobody\n")
    assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert lab.paths.directory.stat().st_mode & 0o077 == 0

    os.kill(lab.keeper_pid(), signal.SIGKILL)
    wait_until(lambda: trial.pids()["db"] not in {None, pid}, seconds=60)
    wait_until(lambda: who.read_text(encoding="utf-8") == "nobody\nnobody\n")
    wait_until(lambda: not is_alive(pid))


def test_a_stop_goes_in_reverse_order_and_leaves_nothing(trial: Trial) -> None:
    lab = trial.lab

    def slow_to_end(name: str, **fields: Any) -> ServicePlan:
        said = lab.home / f"{name}-ended"
        script = f"trap 'sleep 0.3; date +%s%N > {said}; exit 0' INT TERM; "
        return lab.shell(name, script + "while :; do sleep 0.05; done", **fields)

    trial.run(slow_to_end("base"), slow_to_end("top", needs=("base",)))
    trial.pids()

    items = list(lab.client.stop())

    assert items[-1]["result"]["outcome"] == "stopped"
    assert find_condition(lab.paths) is StackCondition.STOPPED
    assert not [pid for pid in trial.seen if is_alive(pid)]
    ended = {name: int((lab.home / f"{name}-ended").read_text()) for name in ("base", "top")}
    assert ended["base"] - ended["top"] > 0.2e9


COUNTER = """
import os, signal, sys, time
place = sys.argv[1]
is_asked_to_end = []
for each in (signal.SIGINT, signal.SIGTERM):
    # Not in the middle of a line, which nobody could put together again.
    signal.signal(each, lambda *_: is_asked_to_end.append(1))
with open(os.path.join(place, "runs"), "a") as runs:
    runs.write(".")
# Each run counts from a number of its own.
number = os.path.getsize(os.path.join(place, "runs")) * 100_000_000
while not os.path.exists(os.path.join(place, "enough")):
    sys.stdout.write("".join(f"number {number + at} {'x' * 400}\\n" for at in range(250)))
    sys.stdout.flush()
    number += 250
    if is_asked_to_end:
        sys.exit()
    # Two megabytes a second: what a log holds lasts longer than a daemon takes to be there again.
    time.sleep(0.05)
print("that is all", flush=True)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
time.sleep(1000)
"""


def test_following_gives_each_line_once_whatever_is_killed_meanwhile(
    trial: Trial, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    lab = trial.lab
    trial.run(lab.python("counter", COUNTER.replace("sys.argv[1]", repr(str(tmp_path)))))
    output = tmp_path / "output"
    command = [str(Path(sys.executable).with_name("prismctl")), "dev", "logs", "-f", "counter"]
    environment = {**os.environ, "PRISM_HOME": str(lab.home), "PRISM_STACK": lab.paths.name}

    def wait_for_more(size: int = 3_000_000) -> None:
        wanted = output.stat().st_size + size
        wait_until(lambda: output.stat().st_size > wanted, seconds=60)

    with (
        output.open("wb") as file,
        subprocess.Popen(command, stdout=file, env=environment, cwd=tmp_path) as follower,
    ):
        try:
            wait_for_more()
            for _ in range(2):
                killed = lab.daemon_pid()
                os.kill(killed, signal.SIGKILL)
                wait_for_more()
                assert lab.daemon_pid() != killed
                list(lab.client.restart(["counter"]))
                # More than one file of the log holds.
                wait_for_more(12_000_000)
            (tmp_path / "enough").touch()
            wait_until(lambda: output.read_bytes().endswith(b"that is all\n"), seconds=60)
        finally:
            follower.send_signal(signal.SIGINT)

    trial.pids()
    assert (lab.paths.logs / "counter#0.log.1").exists()
    written = [line.text for line in read_logs(lab.paths.logs, ["counter"])]
    followed = [line[10:] for line in output.read_text().splitlines()]
    numbers = [int(line.split()[1]) for line in followed if line.startswith("number")]
    runs = {number // 100_000_000 for number in numbers}
    assert len(runs) == 3
    for run in runs:
        of_run = [number for number in numbers if number // 100_000_000 == run]
        first = run * 100_000_000
        assert of_run == list(range(first, first + len(of_run)))
    # On a busy machine it was more than the log keeps.
    assert followed[-len(written) :] == written
