"""`make bench`: the figures the project promises, measured on this machine, printed and never asserted."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from backends import bench_backends
from containers import bench_containers
from dashboard import bench_dashboard
from estimates import ENOUGH_STARTS, bench_estimates
from figures import bench_figures
from install import bench_install
from log_following import bench_log_following
from measuring import (
    PRISMCTL,
    Figure,
    cpu_seconds,
    fresh_home,
    prismctl,
    processes_of,
    pss_mebibytes,
    status,
    timed,
    wait_for,
    write_catalog,
)
from picker import bench_picker
from told import bench_told
from verify_archive import bench_archive
from web_page import bench_web_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = ("dev", "start", "--preset=minimal", "--no-dashboard")

LISTENER = """
import os, socket, sys, time
time.sleep(float(sys.argv[1]))  # stands for the work a service does before it can answer
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
open(sys.argv[2], "w").write(repr(time.time()))
while True:
    listener.accept()[0].close()
"""


def bench_start(runs: int) -> Iterator[Figure]:
    """From the command to all healthy, and from the command to nothing left, on both engines."""
    for engine, start_target, stop_target in (("local", 1.2, 0.5), ("nomad", 3.5, 1.5)):
        starts, stops = [], []
        for _ in range(runs):
            with fresh_home() as home:
                began = time.perf_counter()
                done = prismctl(home, *START, "--engine", engine, check=False)
                starts.append(time.perf_counter() - began)
                if done.returncode == 3:
                    yield Figure(
                        what=f"start minimal, {engine}",
                        unit="s",
                        target=start_target,
                        samples=(),
                        remark="not installed (`make tools`)",
                    )
                    break
                if done.returncode != 0:
                    raise SystemExit(done.stdout + done.stderr)
                stops.append(timed(home, "dev", "stop"))
        else:
            yield Figure(
                what=f"start minimal to all healthy, {engine}, whole command",
                unit="s",
                target=start_target,
                samples=tuple(starts),
            )
            yield Figure(
                what=f"stop minimal, {engine}, whole command",
                unit="s",
                target=stop_target,
                samples=tuple(stops),
            )


def bench_foretold(runs: int) -> Iterator[Figure]:
    """How true estimates are; ``python bench/estimates.py`` makes more starts and tells of each."""
    yield from bench_estimates(ENOUGH_STARTS + runs, ["--preset=minimal", "--engine=local"])


def bench_commands(runs: int) -> Iterator[Figure]:
    """Whole processes of the commands that are typed all day."""
    with fresh_home() as home:
        prismctl(home, *START, "--engine", "local")
        for arguments, target in ((("--version",), 60), (("dev", "status", "-o", "json"), 120)):
            yield Figure(
                what=f"prismctl {' '.join(arguments)}",
                unit="ms",
                target=target,
                samples=tuple(timed(home, *arguments) * 1e3 for _ in range(runs * 2)),
            )
        environment = {
            **os.environ,
            "PRISM_HOME": str(home),
            "_PRISMCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": "prismctl dev logs ",
            "COMP_CWORD": "3",
        }
        samples = []
        for _ in range(runs * 2):
            began = time.perf_counter()
            subprocess.run([PRISMCTL], env=environment, capture_output=True, check=False)
            samples.append((time.perf_counter() - began) * 1e3)
        yield Figure(
            what="completion of a service name", unit="ms", target=80, samples=tuple(samples)
        )
        bare = []
        for _ in range(runs * 2):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            bare.append((time.perf_counter() - began) * 1e3)
        print(f"# a bare interpreter takes {statistics.median(bare):.0f} ms here")


def bench_readiness(runs: int) -> Iterator[Figure]:
    """How long after a service could answer the event says so."""
    delays: list[float] = []
    for _ in range(max(1, runs // 2)):
        with fresh_home() as home:
            services = [
                {
                    "name": f"listener-{number}",
                    "ports": {"tcp": 24100 + number},
                    "default": True,
                    "command": [
                        sys.executable, "-S", "-c", LISTENER,
                        str(0.05 + 0.037 * number), str(home / f"answered-{number}"),
                    ],
                }
                for number in range(20)
            ]  # fmt: skip
            catalog = write_catalog(home, services)
            prismctl(
                home,
                "dev",
                "start",
                "--services",
                str(catalog),
                "--engine",
                "local",
                "--auto-ports",
            )
            for line in prismctl(home, "dev", "events", "-o", "json").stdout.splitlines():
                event = json.loads(line)
                if event["kind"] == "service.healthy":
                    number = event["service"].removeprefix("listener-")
                    answered = float((home / f"answered-{number}").read_text())
                    delays.append(max(0.0, event["time"] - answered) * 1e3)
    p95 = sorted(delays)[int(len(delays) * 0.95) - 1]
    yield Figure(
        what="healthy reported after the service could answer, p95",
        unit="ms",
        target=100,
        samples=(p95,),
        remark=f"median {statistics.median(delays):.0f} ms of {len(delays)}",
    )


def bench_many(runs: int) -> Iterator[Figure]:
    """From *apply* to all running, and what it costs to sit there."""
    for count, target, memory_target in ((10, 0.15, 70), (50, 0.4, None), (100, 0.8, 100)):
        samples, memory, idle = [], [], []
        for run in range(max(2, runs // 2)):
            with fresh_home() as home:
                catalog = write_catalog(
                    home,
                    [
                        {"name": f"trivial-{number}", "default": True, "command": ["sleep", "3600"]}
                        for number in range(count)
                    ],
                )
                prismctl(home, "dev", "start", "--services", str(catalog), "--engine", "local")
                events = [
                    json.loads(line)
                    for line in prismctl(home, "dev", "events", "-o", "json").stdout.splitlines()
                ]
                accepted = next(e["time"] for e in events if e["kind"] == "plan.accepted")
                last = max(e["time"] for e in events if e["kind"] == "service.starting")
                samples.append(last - accepted)
                ours = list(processes_of(home))
                memory.append(pss_mebibytes(ours))
                if count == 10 and run == 0:
                    before, began = cpu_seconds(ours), time.perf_counter()
                    time.sleep(20)  # the length of the measurement itself
                    idle.append(100 * (cpu_seconds(ours) - before) / (time.perf_counter() - began))
        yield Figure(
            what=f"{count} trivial services, apply to all running, local",
            unit="s",
            target=target,
            samples=tuple(samples),
        )
        if memory_target:
            yield Figure(
                what=f"memory of daemon + keeper, PSS, {count} services",
                unit="MiB",
                target=memory_target,
                samples=tuple(memory),
            )
        if idle:
            yield Figure(
                what="idle CPU of daemon + keeper, 10 services",
                unit="%",
                target=1,
                samples=tuple(idle),
            )


def bench_agents(_: int) -> Iterator[Figure]:
    """What the agents themselves cost while nothing happens, printed beside ours."""
    with fresh_home() as home:
        if prismctl(home, *START, "--engine", "nomad", check=False).returncode != 0:
            return
        agents = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(home).encode() in b" ".join(command) and b"agent" in command[1:2]:
                agents[int(entry.name)] = command[0].decode()
        ours = list(processes_of(home))
        before, began = (cpu_seconds(list(agents)), cpu_seconds(ours)), time.perf_counter()
        time.sleep(20)  # the length of the measurement itself
        seconds = time.perf_counter() - began
        theirs = 100 * (cpu_seconds(list(agents)) - before[0]) / seconds
        yield Figure(
            what="idle CPU of daemon + keeper, minimal on nomad",
            unit="%",
            target=1,
            samples=(100 * (cpu_seconds(ours) - before[1]) / seconds,),
            remark=f"Nomad and Consul themselves: {theirs:.1f} %",
        )


def bench_restart(runs: int) -> Iterator[Figure]:
    """From `kill -9` of a service to its next process; one kill a stack, because a second in a row waits by rule."""
    samples = []
    for _ in range(runs):
        with fresh_home() as home:
            pid_file = home / "pid"
            script = f"echo $$ > {pid_file}; exec sleep 3600"
            catalog = write_catalog(
                home, [{"name": "victim", "default": True, "command": ["sh", "-c", script]}]
            )
            prismctl(home, "dev", "start", "--services", str(catalog), "--engine", "local")
            old = status(home)["services"][0]["pid"]
            began = time.perf_counter()
            os.kill(old, signal.SIGKILL)

            def started(pid_file: Path = pid_file, old: int = old) -> bool:
                text = pid_file.read_text().strip()
                return text.isdigit() and int(text) != old

            wait_for(started, seconds=10, what="the next process")
            samples.append((time.perf_counter() - began) * 1e3)
    yield Figure(
        what="kill -9 of a service to its next process, local",
        unit="ms",
        target=50,
        samples=tuple(samples),
        remark="seen from the new process's first line",
    )


def bench_logs(runs: int) -> Iterator[Figure]:
    """One child that prints as fast as it can, through the keeper, to disk."""
    lines = 2_000_000
    rates, lost = [], 0
    for _ in range(max(2, runs // 2)):
        with fresh_home() as home:
            program = f"yes 'a line of output as services print them, about sixty bytes' | head -n {lines}"
            catalog = write_catalog(
                home,
                [
                    {
                        "name": "flood",
                        "default": True,
                        "one_shot": True,
                        "command": ["sh", "-c", program],
                    }
                ],
            )
            prismctl(home, "dev", "start", "--services", str(catalog), "--engine", "local")
            events = [
                json.loads(line)
                for line in prismctl(home, "dev", "events", "-o", "json").stdout.splitlines()
            ]
            began = next(e["time"] for e in events if e["kind"] == "service.starting")
            ended = next(e["time"] for e in events if e["kind"] == "service.completed")
            rates.append(lines / (ended - began))
            lost += sum(e["kind"] == "log.lost" for e in events)
    yield Figure(
        what="log path, one child printing as fast as it can",
        unit="lines/s",
        target=200_000,
        samples=tuple(rates),
        is_more_better=True,
        remark=f"{lost} losses",
    )


BENCHMARKS: dict[str, Callable[[int], Iterator[Figure]]] = {
    "start": bench_start,
    "estimates": bench_foretold,
    "backends": bench_backends,
    "picker": bench_picker,
    "dashboard": bench_dashboard,
    "containers": bench_containers,
    "commands": bench_commands,
    "readiness": bench_readiness,
    "many": bench_many,
    "figures": bench_figures,
    "web": bench_web_page,
    "agents": bench_agents,
    "restart": bench_restart,
    "told": bench_told,
    "logs": bench_logs,
    "following": bench_log_following,
    "archive": bench_archive,
    "install": bench_install,
}


def main() -> None:
    """Run the benchmarks that were named, or all, and print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="default: all")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    load = (
        re.split(r"\s", Path("/proc/loadavg").read_text())[0]
        if Path("/proc/loadavg").exists()
        else "?"
    )
    print(
        f"# {os.cpu_count()} cores, load {load}, Python {sys.version.split()[0]}; medians, then min-max"
    )
    for name in options.names or BENCHMARKS:
        for figure in BENCHMARKS[name](options.runs):
            print(figure.render(), flush=True)


if __name__ == "__main__":
    main()
