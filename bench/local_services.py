"""What the local engine and the daemon cost: to run 10, 50 and 100 services, to see readiness and a kill, to idle.

python bench/local_services.py [ROUNDS]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Figure, cpu_seconds, pss_mebibytes

from prismctl.client import StackClient, start_daemon
from prismctl.domain.plan import EngineName, Port, ServicePlan, StackPlan, plan_to_json
from prismctl.domain.service import (
    CheckType,
    HealthCheck,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)
from prismctl.files.paths import Home, StackPaths

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE_SECONDS = 20.0
TARGETS = {10: 0.15, 50: 0.4, 100: 0.8}


def trivial(name: str, **fields: Any) -> ServicePlan:
    """A service that does nothing."""
    return ServicePlan(
        name=ServiceName(name),
        type=ServiceType.APPLICATION,
        source="bench",
        runtime=Runtime.NATIVE,
        runtime_reason="",
        command=("/bin/sleep", "1000"),
        **fields,
    )


def make_plan(*services: ServicePlan) -> dict[str, Any]:
    """The plan of these services, as it crosses the socket."""
    plan = StackPlan(
        stack=StackName("default"),
        engine=EngineName.LOCAL,
        engine_reason="",
        origin="bench",
        services=services,
        base_env={"PATH": os.environ["PATH"]},
    )
    return plan_to_json(plan)


@contextlib.contextmanager
def running_daemon() -> Iterator[tuple[StackClient, StackPaths, float]]:
    """A daemon with its keeper in a home of its own, and how long both took to listen."""
    home = Path(tempfile.mkdtemp(prefix="prism-bench-"))
    paths = Home(home).stack("default")
    began = time.perf_counter()
    start_daemon(paths, "local").wait()
    seconds = time.perf_counter() - began
    client = StackClient(paths)
    try:
        yield client, paths, seconds
    finally:
        list(client.stop(kill=True))
        shutil.rmtree(home)


def measure_apply(count: int) -> tuple[float, float, float]:
    """Seconds from the request to the first and the last process, and to the result."""
    with running_daemon() as (client, _, _):
        client.status()
        plan = make_plan(*(trivial(f"s{number}") for number in range(count)))
        began = time.time()
        events = [item["event"] for item in client.apply(plan, began) if "event" in item]
        starts = [e["time"] - began for e in events if e["kind"] == "service.starting"]
        done = time.time() - began
    assert len(starts) == count
    return min(starts), max(starts), done


def measure_lag() -> float:
    """Seconds from a port that begins to accept to the event that says healthy."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    check = HealthCheck(type=CheckType.TCP, port=port)
    service = trivial("late", check=check, ports=(Port(name="tcp", number=port),))
    listening = socket.socket()
    opened: list[float] = []

    def open_port() -> None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(16)
        opened.append(time.time())

    with running_daemon() as (client, _, _):
        timer = threading.Timer(0.4 + time.time() % 0.05, open_port)
        timer.start()
        healthy = 0.0
        for item in client.apply(make_plan(service), time.time()):
            if "event" in item and item["event"]["kind"] == "service.healthy":
                healthy = item["event"]["time"]
        timer.join()
    listening.close()
    return healthy - opened[0]


def measure_repair(client: StackClient, number: int) -> float:
    """Seconds from a first kill of a service to the event that says it runs again."""
    pid = client.status()["services"][number]["pid"]
    last = max(event["sequence"] for event in client.events())
    following = client.events(after=last, follow=True)
    killed_at = time.time()
    os.kill(pid, signal.SIGKILL)
    for event in following:
        if event["kind"] == "service.starting":
            return float(event["time"] - killed_at)
    raise SystemExit("the service did not come back")


def measure_idle(client: StackClient, paths: StackPaths) -> tuple[float, float, float]:
    """CPU percent of daemon and keeper together while nothing happens, and their memory in MiB."""
    daemon = int(client.ping()["pid"])
    keeper = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and is_keeper(entry, paths)
    )
    time.sleep(2.0)
    before = cpu_seconds([daemon, keeper])
    time.sleep(IDLE_SECONDS)
    used = cpu_seconds([daemon, keeper]) - before
    return 100 * used / IDLE_SECONDS, pss_mebibytes([daemon]), pss_mebibytes([keeper])


def is_keeper(entry: Path, paths: StackPaths) -> bool:
    """Whether a /proc entry is the keeper of a stack."""
    try:
        command = (entry / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return "keeper/__main__.py" in command and str(paths.keeper_lock) in command


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    figures = []
    starts = []
    for count, target in TARGETS.items():
        measured = [measure_apply(count) for _ in range(rounds)]
        starts += [1000 * first for first, _, _ in measured]
        last = tuple(seconds for _, seconds, _ in measured)
        figures.append(
            Figure(
                what=f"apply to {count} processes running", unit="s", target=target, samples=last
            )
        )
    figures.append(
        Figure(what="apply to the first process", unit="ms", target=15, samples=tuple(starts))
    )
    lags = sorted(1000 * measure_lag() for _ in range(4 * rounds))
    figures.append(
        Figure(
            what="accepting to healthy",
            unit="ms",
            target=100,
            samples=tuple(lags),
            remark=f"p95 {lags[int(0.95 * (len(lags) - 1))]:.0f} ms",
        )
    )
    with running_daemon() as (client, paths, seconds):
        figures.append(
            Figure(what="keeper and daemon listening", unit="s", target=0.3, samples=(seconds,))
        )
        list(client.apply(make_plan(*(trivial(f"s{n}") for n in range(10))), time.time()))
        cpu, daemon_mib, keeper_mib = measure_idle(client, paths)
        asked = []
        for _ in range(20):
            began = time.perf_counter()
            client.status()
            asked.append(1000 * (time.perf_counter() - began))
        repairs = tuple(1000 * measure_repair(client, number) for number in range(min(rounds, 10)))
    figures += [
        Figure(what="kill -9 to running again", unit="ms", target=50, samples=repairs),
        Figure(what="status request, 10 services", unit="ms", target=20, samples=tuple(asked)),
        Figure(what="idle CPU of daemon and keeper", unit="%", target=1, samples=(cpu,)),
        Figure(what="daemon memory (PSS)", unit="MiB", target=45, samples=(daemon_mib,)),
        Figure(what="keeper memory (PSS)", unit="MiB", target=15, samples=(keeper_mib,)),
    ]
    for figure in figures:
        print(figure.render())


if __name__ == "__main__":
    main()
