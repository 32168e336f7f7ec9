"""The life of one kept process as a pure state machine: what happened goes in, what to do comes out.

Nothing here touches the world. ``kept.py`` carries the effects out and feeds back what came of them.
"""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import Final, NamedTuple

from prismctl.keeper.protocol import KeeperEvent, ProcessSpec, ProcessState, ProcessStatus
from prismctl.keeper.restart import count_failures, restart_delay_seconds

LEFTOVER_GRACE_SECONDS: Final = 1.0
"""How long descendants have to end once their main process is gone."""
KILL_AGAIN_SECONDS: Final = 1.0
"""SIGKILL is repeated at this interval: something may have been forked while it went round."""
MAX_KILLS: Final = 8
"""After so many the rest counts as unkillable (a process in uninterruptible sleep), and that is said."""


class Moment(NamedTuple):
    """One point in time on both clocks."""

    wall: float
    """Seconds since the epoch."""
    mono: float
    """Seconds on the monotonic clock."""


class Phase(StrEnum):
    """A ``ProcessState``, told apart where the keeper has to do different things."""

    RUNNING = "running"
    ENDING = "ending"
    """The main process ended by itself; what it left behind is being ended."""
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    FAILED = "failed"


ENDED_PHASES: Final = frozenset({Phase.STOPPED, Phase.COMPLETED, Phase.FAILED})


class Start(NamedTuple):
    """Effect: fork and execute the command, then tell ``forked`` or ``start_failed``."""


class Signal(NamedTuple):
    """Effect: signal the process group, and with ``whole_tree`` the descendants outside it."""

    signal: int
    whole_tree: bool


class Kill(NamedTuple):
    """Effect: SIGKILL for everything that descends from the process."""


class Emit(NamedTuple):
    """Effect: tell the watchers."""

    event: KeeperEvent


class ReportStuck(NamedTuple):
    """Effect: tell who waits for the stop that something survives SIGKILL."""


Effect = Start | Signal | Kill | Emit | ReportStuck


class Ending(NamedTuple):
    """How a run ended, as the system tells it."""

    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    """Why the program could not be executed; empty when it was."""
    is_permanent: bool = False
    """The error will be the same next time."""


class Life(NamedTuple):
    """Where one process is in its life, and what is due next."""

    phase: Phase = Phase.BACKOFF
    pid: int | None = None
    start_ticks: int | None = None
    started: Moment | None = None
    failures: int = 0
    """Runs in a row that ended by themselves."""
    restarts: int = 0
    ending: Ending = Ending()
    exited_at: float | None = None
    deadline: float | None = None
    """When ``deadline_passed`` is to be called, on the monotonic clock."""
    due: Moment | None = None
    """When it is started again; ``None``: not at all."""
    outcome: Phase = Phase.FAILED
    """What it becomes after ``ENDING`` when nothing is due."""
    next_step: int = 0
    """The stop step that comes next."""
    kills: int = 0
    is_restarting: bool = False
    """Start again once stopped."""

    @property
    def has_ended(self) -> bool:
        """Nothing runs, nothing is due."""
        return self.phase in ENDED_PHASES

    def status(self, spec: ProcessSpec, *, lost_log_lines: int) -> ProcessStatus:
        """What is told about it."""
        is_due = self.phase is Phase.BACKOFF and self.due is not None
        return ProcessStatus(
            key=spec.key,
            state=_state(self),
            digest=spec.digest,
            pid=self.pid,
            start_ticks=self.start_ticks if self.pid is not None else None,
            started_at=self.started.wall if self.started is not None else None,
            restarts=self.restarts,
            exit_code=self.ending.exit_code,
            exit_signal=self.ending.signal,
            exited_at=self.exited_at,
            next_start_at=self.due.wall if is_due and self.due is not None else None,
            error=self.ending.error,
            lost_log_lines=lost_log_lines,
        )


Step = tuple[Life, tuple[Effect, ...]]
"""The new life and what to do, in order."""


def begin() -> Step:
    """A process that was just asked for."""
    return Life(), (Start(),)


def forked(life: Life, *, pid: int, start_ticks: int | None, now: Moment) -> Step:
    """The child exists; whether the program can be executed is not known yet."""
    return life._replace(
        phase=Phase.RUNNING,
        pid=pid,
        start_ticks=start_ticks,
        started=now,
        deadline=None,
        due=None,
        next_step=0,
        kills=0,
        is_restarting=False,
    ), ()


def executed(life: Life) -> Step:
    """The program runs."""
    # Earlier errors are over; how the run before it ended stays known.
    life = life._replace(ending=life.ending._replace(error="", is_permanent=False))
    return life, (Emit(KeeperEvent.STARTED),) if life.phase is Phase.RUNNING else ()


def start_failed(life: Life, spec: ProcessSpec, ending: Ending, now: Moment) -> Step:
    """There is no child: the system refused to make one."""
    return _ended_by_itself(life, spec, ending, now, has_leftovers=False)


def main_exited(
    life: Life, spec: ProcessSpec, ending: Ending, now: Moment, *, has_leftovers: bool
) -> Step:
    """The main process is gone and reaped."""
    if life.phase is not Phase.STOPPING:
        return _ended_by_itself(life, spec, ending, now, has_leftovers=has_leftovers)
    life = life._replace(pid=None, ending=ending, exited_at=now.wall)
    if not has_leftovers:
        return tree_gone(life, now)
    if life.deadline is not None and not life.kills:
        life = life._replace(deadline=min(life.deadline, now.mono + LEFTOVER_GRACE_SECONDS))
    return life, ()


def tree_gone(life: Life, now: Moment) -> Step:
    """The main process and all that descended from it are gone."""
    if life.phase is Phase.ENDING:
        return _settle(life, now)
    if life.phase is not Phase.STOPPING:
        return life, ()
    life = life._replace(deadline=None, kills=0)
    if life.is_restarting:
        return _begin_again(life), (Start(),)
    return life._replace(phase=Phase.STOPPED), (Emit(KeeperEvent.STOPPED),)


def leftovers_seen(life: Life) -> Step:
    """Something of the tree ended and something is still there: it may have come after the last SIGKILL."""
    return life, (Kill(),) if life.kills else ()


def deadline_passed(life: Life, spec: ProcessSpec, now: Moment) -> Step:
    """``life.deadline`` has come."""
    if life.phase is Phase.BACKOFF:
        return life._replace(deadline=None, restarts=life.restarts + 1), (Start(),)
    if life.phase is Phase.ENDING:
        if life.kills >= MAX_KILLS:
            return _settle(life, now)
        return _kill(life, now)
    if life.phase is Phase.STOPPING:
        if life.kills >= MAX_KILLS:
            return life._replace(deadline=None), (ReportStuck(),)
        return _next_stop_step(life, spec, now)
    return life._replace(deadline=None), ()


def stop_requested(life: Life, spec: ProcessSpec, now: Moment, *, kill: bool) -> Step:
    """Somebody wants it gone."""
    life = life._replace(is_restarting=False)
    if life.has_ended:
        return life, ()
    if life.phase is Phase.BACKOFF:
        life = life._replace(phase=Phase.STOPPED, deadline=None, due=None)
        return life, (Emit(KeeperEvent.STOPPED),)
    announcement: tuple[Effect, ...] = ()
    if life.phase is not Phase.STOPPING:
        was_ending = life.phase is Phase.ENDING
        life = life._replace(phase=Phase.STOPPING, due=None, next_step=0)
        announcement = (Emit(KeeperEvent.STOPPING),)
        if not was_ending and not kill:
            life, effects = _next_stop_step(life, spec, now)
            return life, announcement + effects
        if was_ending:
            # What is left has had its signal; SIGKILL is all that comes now.
            life = life._replace(next_step=len(spec.stop))
    if kill or life.deadline is None:
        # Without a deadline it had been given up as unkillable; whoever asks again gets another try.
        life, effects = _kill(life._replace(kills=0), now)
        return life, announcement + effects
    return life, announcement


def restart_requested(life: Life, spec: ProcessSpec, now: Moment) -> Step:
    """Somebody wants it stopped and started again; that is not counted as a restart of ours."""
    if life.has_ended or life.phase is Phase.BACKOFF:
        return _begin_again(life), (Start(),)
    life, effects = stop_requested(life, spec, now, kill=False)
    return life._replace(is_restarting=True), effects


def _begin_again(life: Life) -> Life:
    """Somebody asked for another start: what was counted before is over."""
    return life._replace(
        phase=Phase.BACKOFF, failures=0, restarts=0, is_restarting=False, deadline=None, due=None
    )


def _state(life: Life) -> ProcessState:
    if life.phase is Phase.ENDING:
        return ProcessState.BACKOFF if life.due is not None else ProcessState.STOPPING
    return ProcessState(life.phase.value)


def _ended_by_itself(
    life: Life, spec: ProcessSpec, ending: Ending, now: Moment, *, has_leftovers: bool
) -> Step:
    run_seconds = now.mono - life.started.mono if life.started and life.pid is not None else 0.0
    failures = count_failures(spec.restart, failures=life.failures, run_seconds=run_seconds)
    delay = restart_delay_seconds(spec.restart, failures=failures)
    outcome = Phase.FAILED
    is_final = bool(ending.exit_code) and ending.exit_code == spec.restart.final_exit_code
    if ending.is_permanent or is_final:
        delay = None
    elif spec.one_shot and ending.exit_code == 0:
        delay, outcome = None, Phase.COMPLETED
    life = life._replace(
        pid=None,
        failures=failures,
        ending=ending,
        exited_at=now.wall,
        due=None if delay is None else Moment(now.wall + delay, now.mono + delay),
        outcome=outcome,
        kills=0,
    )
    exited: tuple[Effect, ...] = () if ending.error else (Emit(KeeperEvent.EXITED),)
    if has_leftovers:
        life = life._replace(phase=Phase.ENDING, deadline=now.mono + LEFTOVER_GRACE_SECONDS)
        return life, (*exited, Signal(signal.SIGTERM, whole_tree=True))
    life, effects = _settle(life, now)
    return life, exited + effects


def _settle(life: Life, now: Moment) -> Step:
    if life.due is None:
        event = KeeperEvent.COMPLETED if life.outcome is Phase.COMPLETED else KeeperEvent.FAILED
        return life._replace(phase=life.outcome, deadline=None), (Emit(event),)
    life = life._replace(phase=Phase.BACKOFF)
    assert life.due is not None  # noqa: S101 - for the type checker: `_replace` forgets what was narrowed
    if life.due.mono <= now.mono:
        return life._replace(deadline=None, restarts=life.restarts + 1), (Start(),)
    return life._replace(deadline=life.due.mono), (Emit(KeeperEvent.BACKOFF),)


def _next_stop_step(life: Life, spec: ProcessSpec, now: Moment) -> Step:
    if life.next_step >= len(spec.stop):
        return _kill(life, now)
    step = spec.stop[life.next_step]
    grace = step.grace_seconds
    if life.pid is None:
        grace = min(grace, LEFTOVER_GRACE_SECONDS)
    life = life._replace(next_step=life.next_step + 1, deadline=now.mono + grace)
    return life, (Signal(step.signal, whole_tree=step.whole_tree),)


def _kill(life: Life, now: Moment) -> Step:
    life = life._replace(kills=life.kills + 1, deadline=now.mono + KILL_AGAIN_SECONDS)
    return life, (Kill(),)
