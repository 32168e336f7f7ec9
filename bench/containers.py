"""Servers in containers: from the command to all healthy, and back to nothing, with images that are here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from measuring import Figure, fresh_home, prismctl, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING: Final = 3
"""The exit code of a start for which something is not installed, or no image is here."""
TARGETS: Final = {("local", "redis"): 1.7, ("nomad", "redis"): 4.1}
STOP_FULL: Final = {"local": 3.0, "nomad": 4.0}


def bench_containers(runs: int) -> Iterator[Figure]:
    """Redis on each engine in a home that has run containers before; a stop of all servers."""
    for (engine, preset), target in TARGETS.items():
        starts, _ = measure(engine, preset, runs)
        yield Figure(
            what=f"start {preset} in a container, {engine}",
            unit="s",
            target=target,
            samples=starts,
            remark="" if starts else "no Podman, no Docker, or no image here",
        )
    for engine, target in STOP_FULL.items():
        _, stops = measure(engine, "full", runs)
        yield Figure(
            what=f"stop full in containers, {engine}",
            unit="s",
            target=target,
            samples=stops,
            remark="" if stops else "no Podman, no Docker, or not all images here",
        )


def measure(engine: str, preset: str, runs: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """How long starts and stops take; nothing where it cannot be run."""
    starts: list[float] = []
    stops: list[float] = []
    with fresh_home() as home:
        words = ("dev", "start", f"--preset={preset}", "--engine", engine, "--auto-ports")
        # The first one finds the settings that Podman needs here.
        for run in range(runs + 1):
            began = time.perf_counter()
            done = prismctl(home, *words, "--runtime=container", "--no-dashboard", check=False)
            seconds = time.perf_counter() - began
            if done.returncode == MISSING:
                break
            if done.returncode != 0:
                raise SystemExit(done.stdout + done.stderr)
            stop_seconds = timed(home, "dev", "stop")
            if run:
                starts.append(seconds)
                stops.append(stop_seconds)
    return tuple(starts), tuple(stops)
