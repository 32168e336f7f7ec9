"""The processes of this machine, as far as the daemon needs to know them: parents, times, memory, marks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.keeper.protocol import KEEPER_ID_VARIABLE, PROCESS_KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

IS_LINUX: Final = sys.platform == "linux"
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_PROC: Final = Path("/proc")


class ProcessFacts(NamedTuple):
    """One process at one moment."""

    pid: int
    parent: int
    session: int
    started: float
    """Clock ticks since boot on Linux, seconds since the epoch elsewhere; with the PID it names a process."""
    state: str
    """``R`` ``S`` ``D`` ``T`` ``Z`` ``X``, as Linux writes it."""
    cpu_seconds: float
    resident_bytes: int

    @property
    def is_gone(self) -> bool:
        """It only waits to be collected."""
        return self.state in {"Z", "X"}

    @property
    def is_suspended(self) -> bool:
        """A signal (SIGSTOP) or a debugger holds it."""
        return self.state in {"T", "t"}


def read_processes() -> dict[int, ProcessFacts]:
    """Every process that can be seen."""
    if not IS_LINUX:
        return _read_portably()
    found = {}
    for name in os.listdir(_PROC):  # noqa: PTH208 - once a second, for every process there is
        if name.isdigit():
            facts = read_process(int(name))
            if facts is not None:
                found[facts.pid] = facts
    return found


SCAN_SECONDS: Final = 0.9
"""How long a list of all processes is good enough to tell which have come."""


class ProcessView:
    """The processes that matter, looked at each time, among all others, which are looked at less often."""

    def __init__(self) -> None:
        self._all: dict[int, ProcessFacts] = {}
        self._scanned_at = -SCAN_SECONDS
        self._roots: frozenset[int] = frozenset()

    def read(
        self, now: float, roots: frozenset[int], members: Collection[int]
    ) -> dict[int, ProcessFacts]:
        """Every process that can be seen, the roots and the members as they are at this moment.

        Args:
            now: in seconds of a clock that never goes back.
            roots: where families begin; with others than the last time, all is looked at anew.
            members: of the families, as far as they are known.
        """
        is_recent = now - self._scanned_at < SCAN_SECONDS and roots == self._roots
        if not (IS_LINUX and is_recent and self._refresh(roots, members)):
            self._all, self._scanned_at, self._roots = read_processes(), now, roots
        return self._all

    def _refresh(self, roots: frozenset[int], members: Collection[int]) -> bool:
        """Look at these anew; whether all roots live: who looks after one that does not is looked at, too."""
        for pid in roots.union(members):
            facts = read_process(pid)
            if facts is None:
                self._all.pop(pid, None)
            else:
                self._all[pid] = facts
        return all(pid in self._all and not self._all[pid].is_gone for pid in roots)


PROPORTION_SECONDS: Final = 5.0
"""How long what a process shares with others is taken to be what it was: to find out takes the kernel long."""
PROPORTION_GROWTH: Final = 0.1
"""By how much of it a process may grow or shrink meanwhile."""


class MemoryView:
    """Memory of processes, each with its share of what it shares."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, float], tuple[float, int, int]] = {}

    def read(self, now: float, processes: Iterable[ProcessFacts]) -> int:
        """Of all of them together."""
        return sum(self._read_one(now, facts) for facts in processes)

    def _read_one(self, now: float, facts: ProcessFacts) -> int:
        name = (facts.pid, facts.started)
        at, resident, proportional = self._known.get(name, (-PROPORTION_SECONDS, 0, 0))
        growth = facts.resident_bytes - resident
        if now - at < PROPORTION_SECONDS and abs(growth) <= PROPORTION_GROWTH * resident:
            return max(0, proportional + growth)
        proportional = read_proportional_bytes(facts)
        self._known[name] = (now, facts.resident_bytes, proportional)
        return proportional

    def forget_others(self, names: Collection[tuple[int, float]]) -> None:
        """Keep nothing of processes other than these."""
        self._known = {name: self._known[name] for name in names if name in self._known}


def find_suspended(pids: Mapping[str, int]) -> frozenset[str]:
    """The names of those processes that a signal or a debugger holds."""
    found = {name: read_process(pid) for name, pid in pids.items()}
    return frozenset(name for name, facts in found.items() if facts and facts.is_suspended)


def read_process(pid: int) -> ProcessFacts | None:
    """One process; ``None`` when there is none of that number."""
    if not IS_LINUX:
        return _read_portably().get(pid)
    text = _read(f"/proc/{pid}/stat")
    # The name is in parentheses and may contain anything, parentheses too.
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 22:  # noqa: PLR2004 - up to the resident pages
        return None
    return ProcessFacts(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        started=float(fields[19]),
        state=fields[0].decode(),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND,
        resident_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def read_proportional_bytes(facts: ProcessFacts) -> int:
    """Memory of one process with its share of what it shares; resident memory where that cannot be read."""
    for line in _read(f"/proc/{facts.pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return facts.resident_bytes


def read_marks(pid: int) -> tuple[str, str]:
    """The keeper and the process key in the environment a process was started with; empty without them."""
    keeper = process = ""
    for entry in _read_environment(pid):
        name, _, value = entry.partition(b"=")
        if name == KEEPER_ID_VARIABLE.encode():
            keeper = value.decode(errors="replace")
        elif name == PROCESS_KEY_VARIABLE.encode():
            process = value.decode(errors="replace")
    return keeper, process


def read_command(pid: int) -> str:
    """The command line of a process for people."""
    if not IS_LINUX:
        return ""
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


Children = dict[int, list[int]]
"""The processes that every process is the parent of."""


def map_children(processes: dict[int, ProcessFacts]) -> Children:
    """Who is whose child, for several `find_descendants` among the same processes."""
    children: Children = {}
    for facts in processes.values():
        children.setdefault(facts.parent, []).append(facts.pid)
    return children


def find_descendants(
    processes: dict[int, ProcessFacts], roots: set[int], children: Children | None = None
) -> set[int]:
    """The processes that came from the roots, the roots included, as far as parents still tell."""
    if children is None:
        children = map_children(processes)
    found = {pid for pid in roots if pid in processes}
    queue = list(found)
    for pid in queue:
        for child in children.get(pid, ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 64 * 1024):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        # It ended while it was looked at, or belongs to somebody else.
        return b""
    finally:
        os.close(descriptor)


def _read_environment(pid: int) -> list[bytes]:
    if IS_LINUX:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    import psutil

    try:
        variables = psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return []
    return [os.fsencode(f"{name}={value}") for name, value in variables.items()]


def _read_portably() -> dict[int, ProcessFacts]:
    import psutil

    found = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                times = process.cpu_times()
                status = process.status()
                letter = {"zombie": "Z", "dead": "X", "stopped": "T"}.get(status, "S")
                found[process.pid] = ProcessFacts(
                    pid=process.pid,
                    parent=process.ppid(),
                    session=os.getsid(process.pid),
                    started=process.create_time(),
                    state=letter,
                    cpu_seconds=times.user + times.system,
                    resident_bytes=process.memory_info().rss,
                )
        except (psutil.Error, OSError):
            continue
    return found
