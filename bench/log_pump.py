"""How many lines a second the keeper carries from one service to its log, and whether any is lost.

    python bench/log_pump.py [LINES]

Beside the plain flood it measures how long a request and a spawn take while eight services flood at once.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from prismctl.files.logs import read_logs
from prismctl.keeper.client import KeeperClient
from prismctl.keeper.launch import KeeperPlace, start_keeper
from prismctl.keeper.protocol import KeeperEvent, ProcessSpec

WRITER = """
import os, sys
lines = int(sys.argv[1])
text = b"a service says something of usual length about request %d and its outcome\\n"
for start in range(0, lines, 1000):
    block = memoryview(b"".join(text % number for number in range(start, min(start + 1000, lines))))
    while block:
        block = block[os.write(1, block):]
"""


def _spec(directory: Path, key: str, lines: int) -> ProcessSpec:
    return ProcessSpec(
        key=key,
        argv=(sys.executable, "-I", "-S", "-c", WRITER, str(lines)),
        env={},
        cwd=str(directory),
        log_path=str(directory / f"{key}.log"),
        one_shot=True,
        max_log_bytes=64 * 1024 * 1024,
        max_log_files=32,
    )


async def _flood(client: KeeperClient, directory: Path, lines: int) -> None:
    changes = client.watch()
    begin = time.perf_counter()
    await client.spawn(_spec(directory, "flood", lines))
    async for event, status in changes:
        if event is KeeperEvent.COMPLETED and status.key == "flood":
            break
    seconds = time.perf_counter() - begin
    seen, wrong = 0, 0
    begin_reading = time.perf_counter()
    for line in read_logs(directory, ["flood"]):
        wrong += int(line.text.split()[9]) != seen
        seen += 1
    reading = time.perf_counter() - begin_reading
    print(
        f"one service   {lines / seconds:>12,.0f} lines/s   lost {lines - seen}   out of order {wrong}"
    )
    print(f"read back     {seen / reading:>12,.0f} lines/s")


async def _beside(client: KeeperClient, directory: Path) -> None:
    for number in range(8):
        await client.spawn(_spec(directory, f"flood{number}", 1 << 40))
    requests, spawns = [], []
    for number in range(50):
        begin = time.perf_counter()
        await client.list()
        requests.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        spec = _spec(directory, f"quiet{number}", 0)._replace(argv=("/bin/true",))
        await client.spawn(spec)
        spawns.append(time.perf_counter() - begin)
    for name, values in (("request", requests), ("spawn", spawns)):
        print(
            f"{name} beside 8 floods: median {statistics.median(values) * 1e3:.1f} ms,"
            f" worst {max(values) * 1e3:.1f} ms"
        )


async def main() -> None:
    """Print the table."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    directory = Path(tempfile.mkdtemp(prefix="pump-"))
    place = KeeperPlace(directory / "s", directory / "lock", directory / "log", "bench")
    pid = start_keeper(place)
    try:
        async with await KeeperClient.connect(place.socket_path) as client:
            try:
                await _flood(client, directory, lines)
                await _beside(client, directory)
            finally:
                await client.shutdown(kill=True)
    finally:
        await asyncio.to_thread(os.waitpid, pid, 0)
        shutil.rmtree(directory)


if __name__ == "__main__":
    asyncio.run(main())
