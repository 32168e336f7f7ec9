"""Ends and removes what a Nomad that died left behind: processes, mounts, control groups, files."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.engine.nomad.configuration import AGENTS_VARIABLE
from prismctl.engine.nomad.processes import (
    IS_LINUX,
    ProcessFacts,
    list_processes,
    send_signal,
    wait_until_gone,
)
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from prismctl.engine.nomad.layout import AgentLayout

SWEEP_SECONDS: Final = 5.0
"""How long killed processes may take to be gone; only one stuck in the kernel takes longer."""
_MNT_DETACH: Final = 2
_CGROUPS: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep found."""

    processes: int = 0
    mounts: int = 0

    def __bool__(self) -> bool:
        """Whether there was anything that ran or was mounted."""
        return bool(self.processes or self.mounts)

    def __str__(self) -> str:
        """``ended 4 leftover processes, undid 6 mounts``."""
        parts = []
        if self.processes:
            parts.append(f"ended {self.processes} leftover processes")
        if self.mounts:
            parts.append(f"undid {self.mounts} mounts")
        return ", ".join(parts) or "found nothing"


def find_leftovers(
    processes: Iterable[ProcessFacts], layout: AgentLayout, spare: Collection[int]
) -> list[ProcessFacts]:
    """Those that came from this stack's Nomad: by its data directory or mark, or by descent; pure.

    A process that merely mentions the directory (an editor, ``tail``) is none. ``spare`` are PIDs that are
    never one, whatever they look like.
    """
    everything = {process.id.pid: process for process in processes}
    found = {pid: process for pid, process in everything.items() if _is_marked(process, layout)}
    children: dict[int, list[int]] = {}
    for pid, process in everything.items():
        children.setdefault(process.parent, []).append(pid)
    waiting = list(found)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in found:
                found[pid] = everything[pid]
                waiting.append(pid)
    return [process for pid, process in found.items() if pid not in spare]


def _is_marked(process: ProcessFacts, layout: AgentLayout) -> bool:
    environment = f"\0{process.environment}"
    return (
        f"\0{AGENTS_VARIABLE}={layout.directory}\0" in environment
        or f"\0NOMAD_ALLOC_DIR={layout.nomad_data}{os.sep}" in environment
        or f' executor {{"LogFile":"{layout.nomad_data}{os.sep}' in process.command
    )


def find_mounts(table: str, directory: Path) -> list[str]:
    """The mount points below a directory, deepest first, from the text of /proc/self/mountinfo; pure."""
    points = []
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:  # noqa: PLR2004 - the fifth field is the mount point
            # Spaces and the like are written as octal numbers.
            point = re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields[4])
            if Path(point).is_relative_to(directory):
                points.append(point)
    return sorted(points, key=len, reverse=True)


async def sweep(layout: AgentLayout, *, spare: Collection[int] = ()) -> Swept:
    """End every leftover process, undo mounts and control groups, remove Nomad's files.

    Only to be called while no Nomad of this stack shall run.

    Raises:
        PrismError: something would not go.
    """
    processes = await _end_leftovers(layout, {os.getpid(), *spare})
    mounts, failure = await asyncio.to_thread(_remove_files, layout)
    if failure:
        raise PrismError(
            f"cannot remove {layout.nomad}: {failure}",
            hint=f"end what uses it: `lsof +D {layout.nomad}`, then try again",
        )
    return Swept(processes=processes, mounts=mounts)


async def _end_leftovers(layout: AgentLayout, spare: Collection[int]) -> int:
    ended: set[int] = set()
    try:
        async with asyncio.timeout(SWEEP_SECONDS):
            # Again, because what is being killed may just have started something.
            while leftovers := find_leftovers(list_processes(), layout, spare):
                for process in leftovers:
                    send_signal(process.id, signal.SIGKILL)
                    ended.add(process.id.pid)
                for process in leftovers:
                    await wait_until_gone(process.id)
    except TimeoutError:
        stuck = find_leftovers(list_processes(), layout, spare)
        names = ", ".join(f"{process.id.pid} ({process.command[:60]})" for process in stuck)
        raise PrismError(
            f"processes of Nomad would not end: {names}", hint="end them by hand, then try again"
        ) from None
    return len(ended)


def _remove_files(layout: AgentLayout) -> tuple[int, str]:
    """Mounts undone, and why the directory could not be removed (empty when it is gone)."""
    allocations = _list_names(layout.allocations)
    mounts = _unmount_below(layout.nomad)
    _remove_control_groups(allocations)
    shutil.rmtree(layout.plugin_sockets, ignore_errors=True)
    try:
        if layout.nomad.exists():
            shutil.rmtree(layout.nomad)
    except OSError as error:
        return mounts, error.strerror or str(error)
    return mounts, ""


def _list_names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except OSError:
        return []


def _unmount_below(directory: Path) -> int:
    if not IS_LINUX:
        return 0
    points = find_mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8"), directory)
    if not points:
        return 0
    unmount = ctypes.CDLL(None, use_errno=True).umount2
    return sum(unmount(os.fsencode(point), _MNT_DETACH) == 0 for point in points)


def _remove_control_groups(allocations: Collection[str]) -> None:
    """Nomad makes one for every task when it is root; empty ones are all that can be left."""
    if not allocations or os.geteuid() != 0:
        return
    parents = [
        *_CGROUPS.glob("*/nomad"),
        *_CGROUPS.glob("cpuset/nomad/*"),
        _CGROUPS / "nomad.slice",
    ]
    for parent in parents:
        for group in parent.glob("*.scope"):
            if any(group.name.startswith(f"{allocation}.") for allocation in allocations):
                with contextlib.suppress(OSError):
                    group.rmdir()
