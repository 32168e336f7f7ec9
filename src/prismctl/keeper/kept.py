"""One kept process: carries out what ``life`` decides, and feeds back what came of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from prismctl.keeper import freezer, tree
from prismctl.keeper import life as lives
from prismctl.keeper.life import Ending, Life, Moment, Phase
from prismctl.keeper.logs import LogFile, Pump
from prismctl.keeper.protocol import KEEPER_ID_VARIABLE, PROCESS_KEY_VARIABLE, KeeperEvent
from prismctl.keeper.spawn import Command, explain_failure, read_outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.keeper.logs import Stamper
    from prismctl.keeper.loop import Loop, Timer
    from prismctl.keeper.protocol import ProcessSpec, ProcessStatus
    from prismctl.keeper.spawn import Spawner, SpawnFailure
    from prismctl.keeper.tree import ProcessFacts

DRAIN_BYTES: Final = 2 * 1024 * 1024
"""How much of a dead process's last output is read before its end is told; more than a pipe holds."""


class Surroundings(Protocol):
    """What a kept process needs from who keeps it."""

    loop: Loop
    spawner: Spawner
    stamper: Stamper
    keeper_id: str

    def limit_of(self, key: str) -> int | None:
        """The mark of ``lineage``."""

    def orphans_of(self, key: str) -> list[int]:
        """Adopted processes that came from it and live."""

    def processes(self) -> dict[int, ProcessFacts]:
        """Every process there is, as it was in this turn of the loop."""

    def tell(self, kept: KeptProcess, event: KeeperEvent) -> None:
        """Something happened to it."""


class KeptProcess:
    """A process that is kept in the state its caller asked for."""

    def __init__(self, spec: ProcessSpec, surroundings: Surroundings) -> None:
        self.spec = spec
        self.life = Life()
        self._around = surroundings
        self._log = LogFile(
            spec.log_path,
            max_bytes=spec.max_log_bytes,
            max_files=spec.max_log_files,
            counts_removed=True,
        )
        self._command = Command(
            argv=spec.argv,
            env={
                **spec.env,
                KEEPER_ID_VARIABLE: surroundings.keeper_id,
                PROCESS_KEY_VARIABLE: spec.key,
            },
            cwd=spec.cwd,
            parent_death_signal=spec.parent_death_signal,
            lock_limit=surroundings.limit_of(spec.key),
        )
        self._pumps: list[Pump] = []
        self._outcome: int | None = None
        self._failure: SpawnFailure | None = None
        self._timer: Timer | None = None
        self._last_group = 0
        self._freed: set[int] = set()
        """Who was paused and killed in this run: they have had their turn."""
        self._when_executed: list[Callable[[KeptProcess], None]] = []
        self._when_ended: list[Callable[[KeptProcess], None]] = []
        self.stuck = ""
        """Which processes survived SIGKILL; empty when none did."""

    @property
    def status(self) -> ProcessStatus:
        """What is told about it."""
        return self.life.status(self.spec, lost_log_lines=self._log.lost_lines)

    @property
    def log_problem(self) -> str:
        """Why its output cannot be written; empty when it can."""
        return f"{self.spec.log_path}: {self._log.reason}" if self._log.is_losing else ""

    def start(self, then: Callable[[KeptProcess], None]) -> None:
        """Run it; ``then`` is called once the program is executed, or cannot be."""
        self._when_executed.append(then)
        self._take(lives.begin())

    def stop(self, then: Callable[[KeptProcess], None], *, kill: bool) -> None:
        """End it; ``then`` is called once nothing of it is left, or when something cannot be killed."""
        self._when_ended.append(then)
        self.stuck = ""
        self._take(lives.stop_requested(self.life, self.spec, _now(), kill=kill))

    def restart(self, then: Callable[[KeptProcess], None]) -> None:
        """End it and run it again; ``then`` is called once it runs, cannot, was stopped meanwhile, or does not end."""
        self._when_executed.append(then)
        self.stuck = ""
        self._take(lives.restart_requested(self.life, self.spec, _now()))

    def signal_main(self, signum: int) -> bool:
        """Signal the main process; False when none runs."""
        if self.life.pid is None:
            return False
        # It is ours and not reaped, so its PID is still its own.
        os.kill(self.life.pid, signum)
        return True

    def main_exited(self, wait_status: int) -> None:
        """The main process was reaped."""
        if self._outcome is not None:
            self._read_outcome()
        self._drain()
        failure, self._failure = self._failure, None
        if failure is not None:
            ending = Ending(error=failure.message, is_permanent=failure.is_permanent)
        elif os.WIFSIGNALED(wait_status):
            ending = Ending(signal=os.WTERMSIG(wait_status))
        else:
            ending = Ending(exit_code=os.WEXITSTATUS(wait_status))
        self._take(
            lives.main_exited(
                self.life, self.spec, ending, _now(), has_leftovers=self._has_leftovers()
            )
        )

    def something_ended(self) -> None:
        """Some child of the keeper was reaped: see whether the rest of a tree is gone."""
        if self.life.pid is not None or self.life.phase not in (Phase.ENDING, Phase.STOPPING):
            return
        if self._has_leftovers():
            self._take(lives.leftovers_seen(self.life))
        else:
            self._take(lives.tree_gone(self.life, _now()))

    def close(self) -> None:
        """Give up what is held; the process has ended."""
        self._drain()
        for pump in list(self._pumps):
            self._end_pump(pump)
        self._log.close()
        if self._timer is not None:
            self._timer.cancel()

    def _take(self, step: lives.Step) -> None:
        self.life, effects = step
        for effect in effects:
            match effect:
                case lives.Start():
                    self._fork()
                case lives.Signal(signum, whole_tree):
                    self._signal(signum, whole_tree=whole_tree)
                case lives.Kill():
                    self._signal(signal.SIGKILL, whole_tree=True)
                case lives.Emit(event):
                    self._around.tell(self, event)
                case lives.ReportStuck():
                    self._report_stuck()
        self._set_timer()
        self._answer()

    def _answer(self) -> None:
        if self.life.has_ended or self.stuck:
            waiting, self._when_ended = self._when_ended, []
            for then in waiting:
                then(self)
        is_executed = self.life.pid is not None and self._outcome is None and self._failure is None
        is_refused = self.life.phase is Phase.BACKOFF and self.life.ending.error
        is_running = self.life.phase is Phase.RUNNING and is_executed
        if is_running or self.life.has_ended or is_refused or self.stuck:
            waiting, self._when_executed = self._when_executed, []
            for then in waiting:
                then(self)

    def _set_timer(self) -> None:
        due = self.life.deadline
        if self._timer is not None:
            if self._timer.callback is not None and self._timer.due == due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._around.loop.call_at(due, self._deadline_passed)

    def _deadline_passed(self) -> None:
        self._timer = None
        is_ending = self.life.phase in (Phase.ENDING, Phase.STOPPING)
        if is_ending and self.life.pid is None and not self._has_leftovers():
            # Where orphans cannot be adopted nothing tells when the last of them is gone.
            self._take(lives.tree_gone(self.life, _now()))
            return
        self._take(lives.deadline_passed(self.life, self.spec, _now()))

    def _fork(self) -> None:
        self._log.ensure_current()
        try:
            spawned = self._around.spawner.spawn(self._command)
        except OSError as error:
            failure = explain_failure(self._command, stage="fork", number=error.errno or 0)
            ending = Ending(error=failure.message)
            self._take(lives.start_failed(self.life, self.spec, ending, _now()))
            return
        facts = tree.read_facts(spawned.pid)
        ticks = facts.start_ticks if facts is not None else None
        self._last_group = spawned.pid
        self._freed.clear()
        self._outcome = spawned.outcome
        self._around.loop.watch(spawned.outcome, self._outcome_known)
        for descriptor, stream in ((spawned.output, b"stdout"), (spawned.errors, b"stderr")):
            pump = Pump(descriptor, stream, self._log, self._around.stamper)
            self._pumps.append(pump)
            self._around.loop.watch(descriptor, partial(self._pump, pump), is_bulk=True)
        self._take(lives.forked(self.life, pid=spawned.pid, start_ticks=ticks, now=_now()))

    def _outcome_known(self) -> None:
        self._read_outcome()
        self._answer()

    def _read_outcome(self) -> None:
        """Learn whether the program was executed; if not, the child's end is what counts."""
        descriptor, self._outcome = self._outcome, None
        assert descriptor is not None  # noqa: S101 - only called while there is one
        self._failure = read_outcome(descriptor, self._command)
        self._around.loop.unwatch(descriptor)
        os.close(descriptor)
        if self._failure is None:
            self._take(lives.executed(self.life))

    def _pump(self, pump: Pump) -> int:
        was_losing = self._log.is_losing
        count = pump.pump()
        if self._log.is_losing and not was_losing:
            self._around.tell(self, KeeperEvent.LOG_LOST)
        if count is None:
            self._end_pump(pump)
        return count or 0

    def _end_pump(self, pump: Pump) -> None:
        self._around.loop.unwatch(pump.descriptor)
        self._pumps.remove(pump)
        pump.close()

    def _drain(self) -> None:
        """Write the last output before the end is told; a descendant may keep the pipe open and full."""
        for pump in list(self._pumps):
            taken = 0
            while taken < DRAIN_BYTES and (count := self._pump(pump)):
                taken += count

    def _has_leftovers(self) -> bool:
        if tree.HAS_PROC:
            return bool(self._around.orphans_of(self.spec.key))
        return self._signal_group(0)

    def _signal(self, signum: int, *, whole_tree: bool) -> None:
        """Signal the process group, then whatever of the tree is outside it."""
        pid = self.life.pid
        if not tree.HAS_PROC:
            self._signal_group(signum)
            return
        roots = self._around.orphans_of(self.spec.key)
        members = []
        if whole_tree or pid is None:
            # Looked up before the first signal: what dies takes the knowledge of its children along.
            members = tree.find_descendants(
                self._around.processes(), roots if pid is None else [pid, *roots]
            )
        if signum == signal.SIGKILL and self._kill_frozen(members):
            return
        if pid is not None:
            # The main process is ours and not reaped: the group's number is still its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signum)
        for member in members:
            if member.group == pid:
                continue
            if signum != signal.SIGKILL and tree.is_contained(member.pid):
                continue
            tree.signal_process(member.pid, member.start_ticks, signum)

    def _kill_frozen(self, members: list[ProcessFacts]) -> bool:
        """Kill what is paused, and let it go on to die; whether there was anything.

        The rest has its turn the next time: Podman never removes a container that it knows as paused and that
        ended while nobody was there to write that down.
        """
        frozen = [
            member
            for member in members
            if member.pid not in self._freed and freezer.is_frozen(member.pid)
        ]
        for member in frozen:
            tree.signal_process(member.pid, member.start_ticks, signal.SIGKILL)
        freed = {member.pid for member in frozen if freezer.let_die(member.pid)}
        self._freed |= freed
        return bool(freed)

    def _signal_group(self, signum: int) -> bool:
        """The group of the last run, where nothing better is known; False when nobody is in it."""
        if not self._last_group:
            return False
        try:
            os.killpg(self._last_group, signum)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _report_stuck(self) -> None:
        pids = [pid for pid in (self.life.pid, *self._around.orphans_of(self.spec.key)) if pid]
        self.stuck = ", ".join(tree.describe(pid) for pid in pids)


def _now() -> Moment:
    return Moment(time.time(), time.monotonic())
