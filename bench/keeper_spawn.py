"""What the keeper costs: to start, to spawn 10, 50 and 100 processes, to notice and repair a kill, to idle.

python bench/keeper_spawn.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import KeeperPlace, start_keeper
from prismctl.keeper.protocol import KeeperEvent, ProcessSpec, RestartPolicy


def _spec(directory: Path, key: str) -> ProcessSpec:
    return ProcessSpec(
        key=key,
        argv=("/bin/sleep", "1000"),
        env={},
        cwd="/",
        log_path=str(directory / f"{key}.log"),
        restart=RestartPolicy(max_restarts=1000, initial_delay_seconds=0),
    )


def _pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _switches(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def _milliseconds(values: list[float]) -> str:
    return f"median {statistics.median(values) * 1e3:7.1f} ms, worst {max(values) * 1e3:7.1f} ms"


async def _spawn_many(client: KeeperClient, directory: Path, count: int) -> tuple[float, float]:
    specs = [_spec(directory, f"p{number}") for number in range(count)]
    begin = time.perf_counter()
    await asyncio.gather(*(client.spawn(spec) for spec in specs))
    spawned = time.perf_counter() - begin
    begin = time.perf_counter()
    await asyncio.gather(*(client.stop(spec.key) for spec in specs))
    return spawned, time.perf_counter() - begin


async def _repair(client: KeeperClient, directory: Path, rounds: int) -> list[float]:
    status = await client.spawn(_spec(directory, "victim"))
    changes = client.watch()
    taken = []
    begin = 0.0
    async for event, told in changes:
        if told.key != "victim" or event not in (KeeperEvent.PRESENT, KeeperEvent.STARTED):
            continue
        if event is KeeperEvent.STARTED:
            taken.append(time.perf_counter() - begin)
            status = told
        if len(taken) == rounds:
            break
        assert status.pid is not None
        begin = time.perf_counter()
        os.kill(status.pid, signal.SIGKILL)
    return taken


async def _measure(place: KeeperPlace, rounds: int) -> tuple[int, float, float]:
    begin = time.perf_counter()
    pid = start_keeper(place)
    listening = time.perf_counter() - begin
    client = await KeeperClient.connect(place.socket_path)
    await client.hello()
    answered = time.perf_counter() - begin
    directory = place.log_path.parent
    async with client:
        try:
            if rounds:
                print(f"keeper empty: {_pss_kib(pid) / 1024:.1f} MiB PSS")
                for count in (10, 50, 100):
                    times = [await _spawn_many(client, directory, count) for _ in range(rounds)]
                    print(f"spawn {count:>3}:      {_milliseconds([spawn for spawn, _ in times])}")
                    print(f"stop  {count:>3}:      {_milliseconds([stop for _, stop in times])}")
                repairs = await _repair(client, directory, rounds * 10)
                print(f"kill → runs:    {_milliseconds(repairs)}")
                for number in range(100):
                    await client.spawn(_spec(directory, f"p{number}"))
                print(f"keeper of 101:  {_pss_kib(pid) / 1024:.1f} MiB PSS")
                before = _switches(pid)
                await asyncio.sleep(3)
                print(f"idle for 3 s:   {_switches(pid) - before} wakeups")
        finally:
            await client.shutdown(kill=True)
    await asyncio.to_thread(os.waitpid, pid, 0)
    return pid, listening, answered


async def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    directory = Path(tempfile.mkdtemp(prefix="spawn-"))
    place = KeeperPlace(directory / "s", directory / "lock", directory / "log", "bench")
    try:
        await _measure(place, rounds)
        starts = [await _measure(place, 0) for _ in range(rounds * 3)]
    finally:
        shutil.rmtree(directory)
    print(f"start → listen: {_milliseconds([listening for _, listening, _ in starts])}")
    print(f"start → hello:  {_milliseconds([answered for _, _, answered in starts])}")


if __name__ == "__main__":
    asyncio.run(main())
