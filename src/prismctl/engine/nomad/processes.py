"""Processes as the kernel knows them: named by PID *and* start time, so that a recycled PID is never touched."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

IS_LINUX: Final = sys.platform == "linux"
_POLL_SECONDS: Final = 0.05
"""Where the kernel cannot notify of the end of a process that is not a child."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for ever."""

    pid: int
    start_ticks: int | None
    """/proc/PID/stat field 22; ``None`` where there is no /proc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """What can be read of one process without asking it."""

    id: ProcessId
    parent: int
    command: str
    """Its arguments, separated by spaces."""
    environment: str
    """Its variables as at its start, each followed by a zero byte; empty where it may not be read."""


def find_process(pid: int) -> ProcessId | None:
    """The living process of that PID; a zombie counts as gone."""
    if IS_LINUX:
        fields = _read_stat(pid)
        return None if fields is None else ProcessId(pid, int(fields[19]))
    with contextlib.suppress(psutil.Error):
        if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            return ProcessId(pid, None)
    return None


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    found = find_process(process.pid)
    return found is not None and (
        process.start_ticks is None or found.start_ticks == process.start_ticks
    )


def send_signal(process: ProcessId, number: int) -> bool:
    """Signal this very process; ``False`` when it is gone or somebody else's."""
    with contextlib.suppress(OSError):
        if IS_LINUX:
            return _send_by_descriptor(process, number)
        if is_alive(process):
            os.kill(process.pid, number)
            return True
    return False


def _send_by_descriptor(process: ProcessId, number: int) -> bool:
    descriptor = os.pidfd_open(process.pid)
    try:
        # The descriptor holds on to whoever has the PID now; only then is it certain who that is.
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    finally:
        os.close(descriptor)


async def wait_until_gone(process: ProcessId) -> None:
    """Return as soon as the process has ended."""
    if not IS_LINUX:
        while is_alive(process):  # noqa: ASYNC110 - a bounded poll: this kernel notifies of children only
            await asyncio.sleep(_POLL_SECONDS)
        return
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        if is_alive(process):
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def wait_until_one_is_gone(processes: Iterable[ProcessId]) -> None:
    """Return as soon as the first of several processes has ended."""
    waits = [asyncio.create_task(wait_until_gone(process)) for process in processes]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def list_processes() -> list[ProcessFacts]:
    """Everything that runs on this machine, as far as it may be seen."""
    if not IS_LINUX:
        return _list_with_psutil()
    found = []
    for directory in Path("/proc").iterdir():
        name = directory.name
        if not name.isdecimal():
            continue
        fields = _read_stat(int(name))
        if fields is None:
            continue
        found.append(
            ProcessFacts(
                id=ProcessId(int(name), int(fields[19])),
                parent=int(fields[1]),
                command=_read(directory / "cmdline").replace("\0", " "),
                environment=_read(directory / "environ"),
            )
        )
    return found


def _list_with_psutil() -> list[ProcessFacts]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = ""
            with contextlib.suppress(psutil.Error):
                environment = "".join(f"{k}={v}\0" for k, v in process.environ().items())
            found.append(
                ProcessFacts(
                    id=ProcessId(process.pid, None),
                    parent=process.ppid(),
                    command=" ".join(process.cmdline()),
                    environment=environment,
                )
            )
    return found


def _read_stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; ``None`` for what is gone or a zombie."""
    text = _read(Path("/proc", str(pid), "stat"))
    # The name in parentheses may contain anything, parentheses included.
    fields = text.rpartition(")")[2].split()
    return None if not fields or fields[0] in {"Z", "X"} else fields


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return ""
