"""The dashboard in a real terminal: until it is there, what it costs while nothing happens, and how it bears a flood."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pexpect
from measuring import PRISMCTL, Figure, cpu_seconds, fresh_home, prismctl, write_catalog

from prismctl.tui.dashboard.arrivals import take_status
from prismctl.tui.dashboard.frame import changed_lines, compose_frame
from prismctl.tui.dashboard.logbook import Logbook, LogLine
from prismctl.tui.dashboard.state import DashboardState
from prismctl.tui.dashboard.themes import choose_theme, draw_line

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE: Final = (40, 120)
LINES_A_SECOND: Final = 10_000
IDLE_SECONDS: Final = 20.0
FLOOD_SECONDS: Final = 60.0
FLOOD: Final = """
import sys, time
number, due = 0, time.monotonic()
while True:
    for _ in range(RATE // 100):
        number += 1
        sys.stdout.write(f"line {number} of a flood, about as long as what services print: level=info\\n")
    sys.stdout.flush()
    due += 0.01
    time.sleep(max(0.0, due - time.monotonic()))
""".replace("RATE", str(LINES_A_SECOND))


def open_dashboard(home: Path) -> pexpect.spawn[str]:
    """A dashboard as it has just been asked for."""
    environment = {**os.environ, "PRISM_HOME": str(home), "TERM": "xterm-256color"}
    environment.pop("CI", None)
    dashboard = pexpect.spawn(
        PRISMCTL,
        ["dev", "dashboard"],
        env=environment,
        encoding="utf-8",
        dimensions=SIZE,
        timeout=60,
    )
    dashboard.delaybeforesend = None
    return dashboard


def bench_dashboard(runs: int) -> Iterator[Figure]:
    """What somebody waits for who watches, and what watching costs."""
    opened, keys = [], []
    with fresh_home() as home:
        start_sleepers(home, 10)
        for _ in range(2 * runs):
            began = time.perf_counter()
            dashboard = open_dashboard(home)
            dashboard.expect("trivial-0")
            opened.append((time.perf_counter() - began) * 1e3)
            leave(dashboard)
        dashboard = open_dashboard(home)
        dashboard.expect("hears")
        idle = share_of_a_core(dashboard, IDLE_SECONDS)
        leave(dashboard)
    yield Figure(what="dashboard on the screen", unit="ms", target=400, samples=tuple(opened))
    yield Figure(what="CPU of an idle dashboard, 10 services", unit="%", target=1, samples=(idle,))
    with fresh_home() as home:
        start_flood(home)
        dashboard = open_dashboard(home)
        dashboard.expect("of a flood")
        drain(dashboard, 2.0)
        before = resident_mebibytes(dashboard)
        for _ in range(10 * runs):
            began = time.perf_counter()
            dashboard.send("d")
            dashboard.expect("what needs what")
            keys.append((time.perf_counter() - began) * 1e3)
            dashboard.send("d")
            dashboard.expect("of a flood")
        drain(dashboard, FLOOD_SECONDS)
        grown = resident_mebibytes(dashboard) - before
        leave(dashboard)
    flood = f"{LINES_A_SECOND:,} log lines/s"
    yield Figure(
        what=f"dashboard, key to screen, {flood}", unit="ms", target=50, samples=tuple(keys)
    )
    yield Figure(
        what=f"dashboard, memory grown after {FLOOD_SECONDS:g} s, {flood}",
        unit="MiB",
        target=5,
        samples=(grown,),
    )
    yield Figure(
        what=f"dashboard, time of a frame, p95, {flood}",
        unit="ms",
        target=33,
        samples=(frame_milliseconds(),),
        remark="composed and drawn, 100 services, 120 by 40",
    )


def start_sleepers(home: Path, count: int) -> None:
    """A stack of services that do nothing but say hello."""
    hello = ["sh", "-c", "echo somebody hears this; exec sleep 3600"]
    services = [
        {"name": f"trivial-{number}", "default": True, "command": hello} for number in range(count)
    ]
    prismctl(home, "dev", "start", "--services", str(write_catalog(home, services)), "--engine", "local")  # fmt: skip


def start_flood(home: Path) -> None:
    """A stack of one service that prints `LINES_A_SECOND`."""
    command = [sys.executable, "-S", "-c", FLOOD]
    catalog = write_catalog(home, [{"name": "flood", "default": True, "command": command}])
    prismctl(home, "dev", "start", "--services", str(catalog), "--engine", "local")


def leave(dashboard: pexpect.spawn[str]) -> None:
    """Leave as somebody would."""
    dashboard.send("q")
    dashboard.expect("runs on")
    dashboard.expect(pexpect.EOF)
    dashboard.close()


def drain(dashboard: pexpect.spawn[str], seconds: float) -> None:
    """Read what comes, as a terminal does, for so long."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            dashboard.read_nonblocking(1 << 20, timeout=0.1)
        except pexpect.TIMEOUT:
            continue


def share_of_a_core(dashboard: pexpect.spawn[str], seconds: float) -> float:
    """Percent of a core that the dashboard takes."""
    drain(dashboard, 3.0)
    pids = [int(dashboard.pid or 0)]
    before, began = cpu_seconds(pids), time.perf_counter()
    drain(dashboard, seconds)
    return 100 * (cpu_seconds(pids) - before) / (time.perf_counter() - began)


def resident_mebibytes(dashboard: pexpect.spawn[str]) -> float:
    """What the process has in memory."""
    words = Path(f"/proc/{dashboard.pid}/statm").read_text().split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def frame_milliseconds() -> float:
    """The time in which a frame is composed and its lines are drawn, while lines come; the 95th percentile."""
    services = [
        {
            "name": f"service-{number:02d}", "state": "healthy", "pid": 1, "ports": [], "restarts": 0,
            "replicas": {"wanted": 1, "healthy": 1}, "memory_bytes": 1, "cpu_percent": 1.0,
            "requests_per_second": 1.0, "depends_on": [],
        }
        for number in range(100)
    ]  # fmt: skip
    document = {"state": "running", "engine": "local", "services": services}
    state = take_status(DashboardState(), document, 0.0)
    logbook, theme = Logbook(), choose_theme("")
    before = compose_frame(state, logbook, width=SIZE[1], height=SIZE[0], now=0.0)
    samples = []
    for frame in range(300):
        stamp = f"2026-01-02T03:04:05.{frame:09d}Z"
        lines = [
            LogLine(stamp, "service-00", 0, f"line {frame}.{number} of a flood: level=info")
            for number in range(LINES_A_SECOND // 30)
        ]
        began = time.perf_counter()
        logbook.add(lines)
        after = compose_frame(state, logbook, width=SIZE[1], height=SIZE[0], now=frame / 30)
        for y in changed_lines(before, after):
            draw_line(after.lines[y], SIZE[1], theme)
        samples.append((time.perf_counter() - began) * 1e3)
        before = after
    return sorted(samples)[int(len(samples) * 0.95)]


def main() -> None:
    """Print the rows."""
    for figure in bench_dashboard(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(figure.render())


if __name__ == "__main__":
    main()
