"""What each instance uses, with all its children, those in sessions of their own included."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.daemon.process_table import (
    ProcessFacts,
    find_descendants,
    read_marks,
    read_processes,
    read_proportional_bytes,
)
from prismctl.domain.observation import UsageSample
from prismctl.keeper.freezer import is_frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.observation import InstanceKey


CONFIRM_SECONDS: Final = 0.5
"""Who looks after a process has this long to tell that it ended, before its death is told from here."""


class InnerProcess(NamedTuple):
    """The first process inside a container."""

    pid: int
    """As this machine numbers it."""
    unpause: str
    """The command that lets the container go on when it is paused."""


class UsageSampler:
    """Reads /proc on demand; CPU is measured between one sample and the next."""

    def __init__(self) -> None:
        self._ticks: dict[tuple[int, float], float] = {}
        self._owners: dict[tuple[int, float], str] = {}
        self._sampled_at = 0.0
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
        processes = read_processes()
        orphans = self._find_orphans(processes, set(roots.values()), keeper_pid)
        elapsed = now - self._sampled_at if self._sampled_at else 0.0
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
            family = find_descendants(processes, own)
            members = [processes[each] for each in family if not processes[each].is_gone]
            ticks.update({(each.pid, each.started): each.cpu_seconds for each in members})
            samples.append(
                UsageSample(
                    key=key,
                    at=time.time(),
                    memory_bytes=sum(read_proportional_bytes(each) for each in members),
                    cpu_percent=self._percent(members, elapsed),
                    is_suspended=main.is_suspended,
                    hold=_describe_hold(processes.get(inner[key].pid), inner[key].unpause)
                    if key in inner
                    else "",
                )
            )
        self._ticks = ticks
        self._sampled_at = now
        return samples

    def _percent(self, members: list[ProcessFacts], elapsed: float) -> float | None:
        if not elapsed or not any((each.pid, each.started) in self._ticks for each in members):
            return None
        used = sum(
            each.cpu_seconds - self._ticks.get((each.pid, each.started), each.cpu_seconds)
            for each in members
        )
        return round(max(0.0, 100.0 * used / elapsed), 1)

    def _find_orphans(
        self, processes: dict[int, ProcessFacts], mains: set[int], keeper_pid: int
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
