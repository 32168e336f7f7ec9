"""Whose process an orphan was: the keeper inherits what escapes from a service, and must know from which.

A process that forks twice, starts a session and clears its environment keeps nothing that would tell where
it came from, except its resource limits: they pass to children, survive ``exec``, and /proc shows them. So
every kept process gets a value of its own for the one limit that Linux no longer uses, file locks.
"""

from __future__ import annotations

import os
from typing import Final

from prismctl.keeper import tree
from prismctl.keeper.protocol import KEEPER_ID_VARIABLE, PROCESS_KEY_VARIABLE

RLIMIT_LOCKS: Final = 10
"""Its number on Linux; Python has no name for it, because nothing enforces it since Linux 2.4.25."""

DAEMON: Final = "\0daemon"
"""The owner of what the daemon started; no key can be that."""

_NEVER_REACHED: Final = 1 << 62


class Lineage:
    """Tells the owner of every child that the keeper did not start itself."""

    def __init__(self, keeper_id: str) -> None:
        self._keeper_id = os.fsencode(keeper_id)
        self._own_pid = os.getpid()
        self._owners: dict[int, tuple[int, str | None]] = {}
        self._limits: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._next_limit = _first_limit()

    def limit(self, key: str) -> int | None:
        """The file-lock limit that marks the processes of ``key``; ``None`` where that cannot be done."""
        if key not in self._limits:
            if self._next_limit is None:
                return None
            self._limits[key] = self._next_limit
            self._keys[self._next_limit] = key
            self._next_limit -= 1
        return self._limits[key]

    def orphans(self, mains: dict[int, str]) -> dict[int, str | None]:
        """The living children that are no main process, each with the key it came from (``None``: unknown).

        ``mains`` are the main processes by PID, those that ended just now included.
        """
        found: dict[int, str | None] = {}
        looked_at: set[int] = set()
        # A child that ends between the list and the look hands its own children over in that moment:
        # only a list without anybody new is complete.
        while new := [pid for pid in tree.read_children(self._own_pid) if pid not in looked_at]:
            looked_at.update(new)
            self._look_at(new, mains, found)
        return found

    def forget(self, pid: int) -> None:
        """The process was reaped."""
        self._owners.pop(pid, None)

    def _look_at(
        self, pids: list[int], mains: dict[int, str], found: dict[int, str | None]
    ) -> None:
        for pid in pids:
            facts = None if pid in mains else tree.read_facts(pid)
            if facts is None or facts.is_gone:
                continue
            known = self._owners.get(pid)
            # An owner once found stays; one that was not may show itself after an exec.
            if known is None or known[0] != facts.start_ticks or known[1] is None:
                known = (facts.start_ticks, self._find_owner(facts, mains))
                self._owners[pid] = known
            found[pid] = known[1]

    def _find_owner(self, facts: tree.ProcessFacts, mains: dict[int, str]) -> str | None:
        if facts.session in mains:
            return mains[facts.session]
        limit = _read_limit(facts.pid)
        if limit in self._keys:
            return self._keys[limit]
        environment = tree.read_environment(facts.pid)
        if environment.get(os.fsencode(KEEPER_ID_VARIABLE)) == self._keeper_id:
            return os.fsdecode(environment.get(os.fsencode(PROCESS_KEY_VARIABLE), b"")) or None
        return None


def _first_limit() -> int | None:
    if not tree.HAS_PROC:
        return None
    import resource

    _, hard = resource.getrlimit(RLIMIT_LOCKS)
    # Whoever runs below another keeper may only lower the limit: a million values are left to it.
    if hard == resource.RLIM_INFINITY:
        return _NEVER_REACHED
    return hard - (1 << 20) if hard > 1 << 40 else None


def _read_limit(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/limits", "rb") as limits:
            for line in limits:
                if line.startswith(b"Max file locks"):
                    soft = line.split()[3]
                    return int(soft) if soft.isdigit() else None
    except OSError:
        return None
    return None
