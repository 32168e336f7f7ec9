from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from prismctl.daemon.event_log import EventLog
from prismctl.daemon.figure_history import FigureHistory
from prismctl.daemon.metering import Metering
from prismctl.daemon.monitor import Monitor
from prismctl.daemon.usage_watch import WATCHED_SECONDS, UsageWatch
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_watched_stack_of_which_nothing_runs_is_not_looked_at_all_the_time(
    tmp_path: Path,
) -> None:
    paths = Home(tmp_path).stack("default")
    paths.directory.mkdir(parents=True)
    monitor = Monitor(paths, EventLog(paths.events))
    looks: asyncio.Queue[float] = asyncio.Queue()
    watch = UsageWatch(
        monitor,
        Metering(lambda _: True, lambda _: 0),
        FigureHistory(),
        lambda: None,
        lambda: looks.put_nowait(time.monotonic()),
    )
    reader = monitor.snapshots.watch()
    await anext(reader)
    looking = asyncio.get_running_loop().create_task(watch.go_on_for_ever())
    async with asyncio.timeout(20):
        first, _, _, last = [await looks.get() for _ in range(4)]
    looking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await looking
    await reader.aclose()  # type: ignore[attr-defined]
    monitor.close()
    assert last - first >= 2.9 * WATCHED_SECONDS
