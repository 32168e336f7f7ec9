"""What each instance uses, with all its children, those in sessions of their own included."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prismctl.daemon.process_table import (
    MemoryView,
    ProcessFacts,
    ProcessView,
    find_descendants,
    map_children,
    read_marks,
)
from prismctl.domain.observation import UsageSample
from prismctl.keeper.freezer import is_frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from prismctl.daemon.inner_processes import InnerProcess
    from prismctl.domain.observation import InstanceKey


CONFIRM_SECONDS: Final = 0.5
"""Who looks after a process has this long to tell that it ended, before its death is told from here."""


CPU_SECONDS: Final = 2.0
"""CPU is told over about this long: the kernel counts it in hundredths of a second."""
LEAST_CPU_SECONDS: Final = 0.4
"""Over less, one of those hundredths would be too much of it."""


class UsageSampler:
    """Reads /proc on demand; CPU is measured between one sample and another."""

    def __init__(self) -> None:
        self._processes = ProcessView()
        self._memory = MemoryView()
        self._past: list[tuple[float, dict[tuple[int, float], float]]] = []
        self._owners: dict[tuple[int, float], str] = {}
        self._missing: dict[tuple[InstanceKey, int], float] = {}
        self.is_doubtful = False
        """A main process is dead that somebody may still be about to report: worth another look soon."""

    def sample(
        self,
        roots: Mapping[InstanceKey, int],
        keeper_pid: int,
        inner: Mapping[InstanceKey, InnerProcess] | None = None,
    ) -> list[UsageSample]:
        """One sample of each instance whose main process lives, or is dead without anybody noticing.

        Args:
            roots: the main process of each.
            keeper_pid: the parent of what escaped from its own; its mark says whose it is.
            inner: the first process inside the container of each that is one: what its client uses is not the
                service's.
        """
        inner = inner or {}
        now = time.monotonic()
        mains = frozenset(roots.values())
        begins = mains.union(each.pid for each in inner.values())
        members_before = [pid for pid, _ in self._past[-1][1]] if self._past else []
        processes = self._processes.read(now, begins, members_before)
        orphans = self._find_orphans(processes, mains, keeper_pid)
        children = map_children(processes)
        began, known = self._find_base(now)
        ticks: dict[tuple[int, float], float] = {}
        samples = []
        missing, self._missing, self.is_doubtful = self._missing, {}, False
        for key, pid in roots.items():
            main = processes.get(pid)
            if main is None or main.is_gone:
                since = self._missing[key, pid] = missing.get((key, pid), now)
                parent = processes.get(main.parent) if main is not None else None
                death = _describe_death(pid, parent, is_overdue=now - since >= CONFIRM_SECONDS)
                self.is_doubtful = self.is_doubtful or not death
                if death:
                    samples.append(_sample_dead(key, death))
                continue
            own = {inner[key].pid} if key in inner else {pid, *orphans.get(str(key), ())}
            family = find_descendants(processes, own, children)
            members = [processes[each] for each in family if not processes[each].is_gone]
            ticks.update({(each.pid, each.started): each.cpu_seconds for each in members})
            samples.append(
                UsageSample(
                    key=key,
                    at=time.time(),
                    memory_bytes=self._memory.read(now, members),
                    cpu_percent=_measure_cpu(members, known, now - began),
                    is_suspended=main.is_suspended,
                    hold=_describe_hold(processes.get(inner[key].pid), inner[key].unpause)
                    if key in inner
                    else "",
                )
            )
        self._past.append((now, ticks))
        self._memory.forget_others(ticks)
        return samples

    def _find_base(self, now: float) -> tuple[float, dict[tuple[int, float], float]]:
        """The sample to compare with, and when it was taken; those before it are of no use any more."""
        while len(self._past) > 1 and now - self._past[1][0] >= LEAST_CPU_SECONDS:
            if now - self._past[0][0] <= CPU_SECONDS:
                break
            del self._past[0]
        return self._past[0] if self._past else (now, {})

    def _find_orphans(
        self, processes: dict[int, ProcessFacts], mains: Collection[int], keeper_pid: int
    ) -> dict[str, list[int]]:
        orphans: dict[str, list[int]] = {}
        owners: dict[tuple[int, float], str] = {}
        for facts in processes.values():
            if facts.parent != keeper_pid or facts.pid in mains:
                continue
            name = (facts.pid, facts.started)
            owners[name] = self._owners.get(name) or read_marks(facts.pid)[1]
            orphans.setdefault(owners[name], []).append(facts.pid)
        self._owners = owners
        return orphans


def _measure_cpu(
    members: list[ProcessFacts], known: dict[tuple[int, float], float], elapsed: float
) -> float | None:
    """Of one core, since what is known was measured; ``None`` when nothing is known, or that was just now."""
    if elapsed < LEAST_CPU_SECONDS or not any(
        (each.pid, each.started) in known for each in members
    ):
        return None
    used = sum(
        each.cpu_seconds - known.get((each.pid, each.started), each.cpu_seconds) for each in members
    )
    return round(max(0.0, 100.0 * used / elapsed), 1)


def _describe_death(pid: int, parent: ProcessFacts | None, *, is_overdue: bool) -> str:
    if parent is not None and parent.is_suspended:
        return (
            f"process {pid} is dead, and process {parent.pid}, which looks after it, is suspended"
        )
    return f"process {pid} is dead, and what looks after it has not told how" if is_overdue else ""


def _describe_hold(inner: ProcessFacts | None, unpause: str) -> str:
    if inner is None or inner.is_gone:
        return ""
    if is_frozen(inner.pid):
        return f"paused; `{unpause}` lets it go on"
    if inner.is_suspended:
        return f"suspended by SIGSTOP; `kill -CONT {inner.pid}` lets it go on"
    return ""


def _sample_dead(key: InstanceKey, death: str) -> UsageSample:
    return UsageSample(key=key, at=time.time(), memory_bytes=None, cpu_percent=None, death=death)
