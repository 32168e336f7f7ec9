"""All kept processes together: asks, signals and ended children come in, replies and events go out."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.keeper import freezer, tree
from prismctl.keeper.kept import KeptProcess
from prismctl.keeper.lineage import DAEMON, Lineage
from prismctl.keeper.protocol import KeeperEvent, status_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.keeper.logs import Stamper
    from prismctl.keeper.loop import Loop
    from prismctl.keeper.protocol import ProcessSpec
    from prismctl.keeper.spawn import Spawner
    from prismctl.keeper.tree import ProcessFacts

SWEEP_SECONDS: Final = 5.0
"""How long a shutdown waits for what it killed at the end, before it says what is left."""


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The request cannot be done; the text is what the caller is told."""


class Supervisor:
    """Keeps processes; calls ``on_event`` with every change and ``note`` with what belongs into the log."""

    def __init__(
        self,
        *,
        loop: Loop,
        spawner: Spawner,
        stamper: Stamper,
        keeper_id: str,
        on_event: Callable[[dict[str, Any]], None],
        note: Callable[[str], None],
    ) -> None:
        self.loop = loop
        self.spawner = spawner
        self.stamper = stamper
        self.keeper_id = keeper_id
        self.lineage = Lineage(keeper_id)
        self.on_foreign_exit: Callable[[int, int], None] = lambda _pid, _status: None
        """Called with PID and wait status of a reaped child that is no kept process."""
        self.spared_pids: set[int] = set()
        """Children that are not swept at the end: the daemon."""
        self._on_event = on_event
        self._note = note
        self._kept: dict[str, KeptProcess] = {}
        self._snapshot: tuple[int, dict[int, ProcessFacts]] = (-1, {})
        self._sweep_until: float | None = None
        self._when_empty: list[Callable[[str], None]] = []
        self.is_shutting_down = False
        """Nothing is started any more."""

    # What callers ask for.

    def statuses(self) -> list[dict[str, Any]]:
        """Everything that is kept, in the order it was asked for."""
        return [status_to_json(kept.status) for kept in self._kept.values()]

    def spawn(self, spec: ProcessSpec, then: Callable[[KeptProcess], None]) -> None:
        """Start a process; an ended one of the same key is replaced."""
        self._refuse_when_shutting_down()
        there = self._kept.get(spec.key)
        if there is not None:
            if not there.life.has_ended:
                raise Refusal(f"{spec.key} is already {there.status.state}")
            there.close()
        kept = self._kept[spec.key] = KeptProcess(spec, self)
        kept.start(then)

    def stop(self, key: str, then: Callable[[KeptProcess], None], *, kill: bool) -> None:
        """End a process and all that descended from it."""
        self._find(key).stop(then, kill=kill)

    def restart(self, key: str, then: Callable[[KeptProcess], None]) -> None:
        """End a process and start it again."""
        self._refuse_when_shutting_down()
        self._find(key).restart(then)

    def signal(self, key: str, signum: int) -> None:
        """Signal the main process."""
        if not self._find(key).signal_main(signum):
            raise Refusal(f"{key} is not running")

    def forget(self, key: str) -> None:
        """Drop an ended process."""
        kept = self._find(key)
        if not kept.life.has_ended:
            raise Refusal(f"{key} is {kept.status.state}")
        kept.close()
        del self._kept[key]

    def shutdown(self, then: Callable[[str], None], *, kill: bool) -> None:
        """End everything; ``then`` is told what could not be ended, empty when nothing is left."""
        self.is_shutting_down = True
        self._when_empty.append(then)
        for kept in list(self._kept.values()):
            if not kept.life.has_ended:
                kept.stop(lambda _kept: self._check_empty(), kill=kill)
        self._check_empty()

    # What the kept processes need.

    def limit_of(self, key: str) -> int | None:
        """The mark of its processes."""
        return self.lineage.limit(key)

    def orphans_of(self, key: str) -> list[int]:
        """Adopted processes that came from it and live."""
        orphans = self.lineage.orphans(self._mains())
        return [pid for pid, owner in orphans.items() if owner == key]

    def processes(self) -> dict[int, ProcessFacts]:
        """Every process there is, as it was in this turn of the loop."""
        if self._snapshot[0] != self.loop.turn:
            self._snapshot = (self.loop.turn, tree.read_all())
        return self._snapshot[1]

    def tell(self, kept: KeptProcess, event: KeeperEvent) -> None:
        """Something happened to it."""
        status = kept.status
        self._note(_describe(kept, event))
        self._on_event(
            {"event": event.value, "status": status_to_json(status), "time": time.time()}
        )

    # What the system reports.

    def reap(self) -> None:
        """Collect every child that ended."""
        mains = self._mains_by_pid()
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            self.lineage.forget(pid)
            ended.append((pid, status))
        for pid, status in ended:
            kept = mains.get(pid)
            if kept is not None:
                kept.main_exited(status)
            else:
                self.on_foreign_exit(pid, status)
        if ended:
            for kept in list(self._kept.values()):
                kept.something_ended()
            self._check_empty()

    def close(self) -> None:
        """Give up what is held; everything has ended."""
        for kept in self._kept.values():
            kept.close()

    def _mains_by_pid(self) -> dict[int, KeptProcess]:
        return {kept.life.pid: kept for kept in self._kept.values() if kept.life.pid is not None}

    def _mains(self) -> dict[int, str]:
        return {pid: kept.spec.key for pid, kept in self._mains_by_pid().items()}

    def _find(self, key: str) -> KeptProcess:
        kept = self._kept.get(key)
        if kept is None:
            raise Refusal(f"{key} is not kept here")
        return kept

    def _refuse_when_shutting_down(self) -> None:
        if self.is_shutting_down:
            raise Refusal("the keeper is shutting down")

    def _check_empty(self) -> None:
        """End a shutdown once the kept processes and everything adopted from them are gone."""
        if not self._when_empty:
            return
        if any(not kept.life.has_ended and not kept.stuck for kept in self._kept.values()):
            return
        strays = self._strays()
        now = time.monotonic()
        if self._sweep_until is None:
            self._sweep_until = now + SWEEP_SECONDS
        if strays and now < self._sweep_until:
            for facts in tree.find_descendants(tree.read_all(), strays):
                tree.signal_process(facts.pid, facts.start_ticks, signal.SIGKILL)
                freezer.let_die(facts.pid)
            # Their end arrives as a signal; the timer is for what does not end.
            self.loop.call_at(now + SWEEP_SECONDS / 10, self._check_empty)
            return
        left = [kept.stuck for kept in self._kept.values() if kept.stuck]
        left += [tree.describe(pid) for pid in strays]
        waiting, self._when_empty = self._when_empty, []
        for then in waiting:
            then(", ".join(left))

    def _strays(self) -> list[int]:
        orphans = self.lineage.orphans(self._mains())
        return [
            pid for pid, owner in orphans.items() if owner != DAEMON and pid not in self.spared_pids
        ]


def _describe(kept: KeptProcess, event: KeeperEvent) -> str:
    status = kept.status
    details = [event.value, status.key]
    if status.pid is not None:
        details.append(f"pid={status.pid}")
    if event in (KeeperEvent.EXITED, KeeperEvent.STOPPED, KeeperEvent.FAILED):
        ending = (
            ("signal", status.exit_signal) if status.exit_signal else ("exit", status.exit_code)
        )
        details.append(f"{ending[0]}={ending[1]}")
    if status.restarts:
        details.append(f"restarts={status.restarts}")
    if event is KeeperEvent.LOG_LOST:
        details.append(kept.log_problem)
    if status.error:
        details.append(status.error)
    return " ".join(details)
