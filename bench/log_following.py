"""How fast `logs -f` hands on what one service prints, from its first line to the last one in a file, and none lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from measuring import PRISMCTL, Figure, fresh_home, prismctl, wait_for, write_catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = 500_000
"""As much as the log files of one service hold: what is printed faster for longer is moved out before anybody reads it."""
TEXT = "a line of output as services print them, about sixty bytes, number"


def bench_log_following(runs: int) -> Iterator[Figure]:
    """One child prints a flood once somebody follows."""
    rates, lost = [], 0
    for _ in range(max(2, runs // 2)):
        with fresh_home() as home:
            seconds, missing = _follow(home)
            rates.append(LINES / seconds)
            lost += missing
    yield Figure(
        what="logs -f of one flooding service to a file",
        unit="lines/s",
        target=100_000,
        samples=tuple(rates),
        is_more_better=True,
        remark=f"{lost} lost",
    )


def _follow(home: Path) -> tuple[float, int]:
    """How long it took, and how many lines are not where they should be."""
    signal_file, output = home / "go", home / "output"
    program = (
        f"echo ready; until [ -e {signal_file} ]; do sleep 0.02; done; "
        f"seq -f '{TEXT} %.0f' {LINES}; echo that is all; exec sleep 1000"
    )
    service = {"name": "flood", "default": True, "command": ["sh", "-c", program]}
    catalog = write_catalog(home, [service])
    prismctl(
        home, "dev", "start", "--services", str(catalog), "--engine", "local", "--no-dashboard"
    )
    environment = {**os.environ, "PRISM_HOME": str(home)}
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [PRISMCTL, "dev", "logs", "-f", "flood"],
            stdout=file,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as follower,
    ):
        wait_for(lambda: output.stat().st_size, seconds=30, what="the first line")
        began = time.perf_counter()
        signal_file.touch()
        wait_for(lambda: _ends_with(output, b"that is all\n"), seconds=300, what="the last line")
        seconds = time.perf_counter() - began
        follower.send_signal(signal.SIGINT)
    with output.open("rb") as followed:
        numbers = [int(line.rsplit(b" ", 1)[1]) for line in followed if TEXT.encode() in line]
    wanted = range(1, LINES + 1)
    return seconds, LINES - sum(a == b for a, b in zip(numbers, wanted, strict=False))


def _ends_with(path: Path, end: bytes) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(end)))
        return file.read() == end
