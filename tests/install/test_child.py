from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prismctl.install.child import end_group, start_child

if TYPE_CHECKING:
    from collections.abc import Callable


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def living(mark: str) -> list[int]:
    """Processes with a mark in their words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "cmdline").read_bytes() and is_alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


@pytest.mark.parametrize("turns", range(6))
async def test_what_began_to_run_before_its_starter_was_cancelled_ends_with_its_children(
    tmp_path: Path, wait_until: Callable[..., None], turns: int
) -> None:
    mark = str(tmp_path)
    script = f"sh -c 'sleep 1000; : {mark}'; : {mark}"
    starting = asyncio.ensure_future(
        start_child("sh", "-c", script, stdout=subprocess.PIPE, start_new_session=True)
    )
    for _ in range(turns):
        await asyncio.sleep(0)
    if starting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await starting
    else:
        await end_group(await starting)
    wait_until(lambda: not living(mark), seconds=10)


async def test_a_group_is_ended_although_its_leader_has_gone(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! > {pids}; exit 0"
    process = await start_child("sh", "-c", script, stdout=subprocess.PIPE, start_new_session=True)
    # Not `wait()`, which also waits for the pipe that the other one holds.
    while process.returncode is None:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0.005)
    pid = int(pids.read_text())
    assert is_alive(pid)
    await end_group(process)
    wait_until(lambda: not is_alive(pid), seconds=10)
