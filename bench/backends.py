"""Redis, PostgreSQL, NATS and Kafka as programs of this machine: from the command to all healthy, and back to nothing."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from measuring import Figure, fresh_home, prismctl, timed, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING: Final = 3
"""The exit code of a start for which something is not installed."""
TARGETS: Final = {
    "local": {"redis": 1.4, "postgres": 1.5, "messaging": 3.5, "full": 4.0},
    "nomad": {"redis": 3.8, "postgres": 3.9, "messaging": 5.5, "full": 6.5},
}
FIRST_POSTGRES: Final = {"local": 2.5, "nomad": 5.0}
STOP_FULL: Final = {"local": 2.0, "nomad": 3.0}


def bench_backends(runs: int) -> Iterator[Figure]:
    """Each preset on each engine, in a home that has started them before; PostgreSQL in new ones as well."""
    for engine, targets in TARGETS.items():
        firsts = []
        for _ in range(runs):
            with native_home() as home:
                seconds = start(home, engine, "postgres")
                if seconds is None:
                    break
                firsts.append(seconds)
        yield Figure(
            what=f"start postgres for the first time, native, {engine}",
            unit="s",
            target=FIRST_POSTGRES[engine],
            samples=tuple(firsts),
            remark="" if firsts else "not installed (`make tools backends`)",
        )
        if firsts:
            yield from bench_again(engine, targets, runs)


def bench_again(engine: str, targets: dict[str, float], runs: int) -> Iterator[Figure]:
    """All presets in one home, once what they make a single time is there."""
    with native_home() as home:
        if start(home, engine, "full") is None:
            return
        archives = home / "cache" / "servers"
        wait_for(lambda: any(archives.glob("kafka-*.jsa")), seconds=120, what="Kafka's archive")
        prismctl(home, "dev", "stop")
        stops: list[float] = []
        for preset, target in targets.items():
            starts, stops = [], []
            for _ in range(runs):
                starts.append(start(home, engine, preset) or 0.0)
                stops.append(timed(home, "dev", "stop"))
            yield Figure(
                what=f"start {preset} again, native, {engine}",
                unit="s",
                target=target,
                samples=tuple(starts),
            )
        yield Figure(
            what=f"stop full, native, {engine}",
            unit="s",
            target=STOP_FULL[engine],
            samples=tuple(stops),
        )


@contextlib.contextmanager
def native_home() -> Iterator[Path]:
    """A new home in which servers are programs of this machine, whatever runs containers."""
    with fresh_home() as home:
        (home / "config.yaml").write_text("runtime: native\n", encoding="utf-8")
        yield home


def start(home: Path, engine: str, preset: str) -> float | None:
    """How long a start takes; ``None``: something that it needs is not installed."""
    began = time.perf_counter()
    words = ("dev", "start", f"--preset={preset}", "--engine", engine, "--auto-ports")
    done = prismctl(home, *words, "--no-dashboard", check=False)
    seconds = time.perf_counter() - began
    if done.returncode == MISSING:
        return None
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return seconds
