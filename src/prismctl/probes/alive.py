"""Ready when it has lived long enough: all that can be said of a service without a check."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

from prismctl.domain.host_port import PortProtocol
from prismctl.machine import find_listeners, is_known
from prismctl.probes.question import NotReadyError

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.probes.question import Question


_CLOCK_SECONDS: Final = 0.05
"""Times of files are coarser than those of processes."""


def sees_udp_ports(question: Question) -> bool:
    """Whether it can be seen that somebody takes datagrams: elsewhere it has to have lived a while."""
    return bool(question.udp_ports) and is_known()


async def probe_alive(question: Question) -> None:
    """Look whether the process is there, and at its UDP ports; on another machine its engine's word has to do.

    Raises:
        NotReadyError: it has ended, and its engine is about to say so; its container has not begun; or nobody takes
            datagrams yet.
    """
    require_container(question)
    looks = sees_udp_ports(question)
    if question.pid_file is not None and not looks:
        await _look_inside(question.pid_file, question.min_uptime_seconds)
    if question.pid is not None and not _is_alive(question.pid, question.start_ticks):
        raise NotReadyError("it has ended")
    if looks:
        _require_udp_ports(question.udp_ports)


def _require_udp_ports(numbers: tuple[int, ...]) -> None:
    """Nobody else had them before the start; who exactly has them now may be closed to us."""
    missing = [str(each) for each in numbers if not find_listeners(each, PortProtocol.UDP)]
    if missing:
        ports = "port" if len(missing) == 1 else "ports"
        raise NotReadyError(f"takes no datagrams at {ports} {', '.join(missing)}")


def require_container(question: Question) -> None:
    """What answers before the container of this run is there is another one: the last run's, about to be removed.

    Raises:
        NotReadyError: it has not begun.
    """
    record = question.pid_file
    if record is None:
        return
    try:
        written_at = record.stat().st_mtime
    except OSError:
        written_at = 0.0
    if written_at < question.started_at - _CLOCK_SECONDS or _read_number(record) is None:
        raise NotReadyError("its container has not begun")


async def _look_inside(record: Path, seconds: float) -> None:
    """That there is a client says nothing: the process inside has to live as long as any other."""
    pid = _read_number(record)
    # Elsewhere the process is in a virtual machine, and its number means nothing here.
    is_here = sys.platform == "linux"
    await asyncio.sleep(seconds)
    is_same = pid is not None and _read_number(record) == pid
    if not is_same or (is_here and pid is not None and not _is_alive(pid, None)):
        raise NotReadyError("its container has ended")


def _read_number(record: Path) -> int | None:
    try:
        return int(record.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _is_alive(pid: int, start_ticks: int | None) -> bool:
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - one look at /proc
            # The name is in parentheses and may contain anything.
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return False
    is_same = start_ticks is None or int(fields[19]) == start_ticks
    return is_same and fields[0] not in {b"Z", b"X"}
