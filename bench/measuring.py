"""How the benchmarks measure: fresh homes, whole processes, medians, and a table at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PRISMCTL = str(Path(sys.executable).with_name("prismctl"))
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table: what was measured, against what, and every sample."""

    what: str
    unit: str
    target: float
    samples: tuple[float, ...]
    is_more_better: bool = False
    remark: str = ""

    def render(self) -> str:
        """The row as text."""
        if not self.samples:
            return f"{self.what:<58} {'-':>9}        not measured: {self.remark}"
        median = statistics.median(self.samples)
        reached = median >= self.target if self.is_more_better else median <= self.target
        sign = "≥" if self.is_more_better else "≤"
        return (
            f"{self.what:<58} {median:>9,.4g} {self.unit:<7} {sign} {self.target:<9,.4g} {'✓' if reached else '✗'}  "
            f"{min(self.samples):,.4g}-{max(self.samples):,.4g}, n={len(self.samples)}"
            + (f"  {self.remark}" if self.remark else "")
        )


@contextlib.contextmanager
def fresh_home() -> Iterator[Path]:
    """An empty home that is removed afterwards, with whatever still runs in it stopped first."""
    home = Path(tempfile.mkdtemp(prefix="prism-bench-"))
    try:
        yield home
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            prismctl(home, "dev", "stop", check=False)
        shutil.rmtree(home, ignore_errors=True)


def prismctl(home: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in that home, with plain output."""
    environment = {**os.environ, "PRISM_HOME": str(home), "NO_COLOR": "1", "CI": "1"}
    environment.pop("PRISM_STACK", None)
    done = subprocess.run(
        [PRISMCTL, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=180,
    )
    if check and done.returncode != 0:
        raise SystemExit(
            f"`prismctl {' '.join(arguments)}` returned {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


def timed(home: Path, *arguments: str) -> float:
    """Seconds that a whole command took, interpreter included."""
    began = time.perf_counter()
    prismctl(home, *arguments)
    return time.perf_counter() - began


def status(home: Path) -> dict[str, Any]:
    """The status document."""
    document: dict[str, Any] = json.loads(prismctl(home, "dev", "status", "-o", "json").stdout)
    return document


def wait_for(condition: Any, *, seconds: float, what: str) -> Any:
    """Ask every two milliseconds until there is an answer; for measuring, where nothing can notify us."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.002)
    raise SystemExit(f"waited {seconds} s for {what}")


def processes_of(home: Path) -> dict[int, str]:
    """Our own background processes of a home, ``daemon`` or ``keeper`` by PID (Linux)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if str(home) not in " ".join(command):
                continue
            for name in ("daemon", "keeper"):
                if f"prismctl.{name}" in command:
                    found[int(entry.name)] = name
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time the processes have used so far."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
    return total


def pss_mebibytes(pids: Sequence[int]) -> float:
    """Proportional set size: what the processes really cost in memory."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def write_catalog(home: Path, services: Sequence[dict[str, Any]]) -> Path:
    """A catalog of nothing but these services (JSON is YAML)."""
    path = home / "bench-services.yaml"
    path.write_text(json.dumps({"core": False, "services": list(services)}))
    return path
