"""Keeps the daemon up: when its connection ends without a goodbye, it is started again."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.keeper import tree
from prismctl.keeper.lineage import DAEMON
from prismctl.keeper.protocol import (
    KEEPER_ID_VARIABLE,
    PROCESS_KEY_VARIABLE,
    RestartPolicy,
)
from prismctl.keeper.restart import count_failures, restart_delay_seconds
from prismctl.keeper.spawn import Command, explain_failure, read_outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.keeper.connection import Connection
    from prismctl.keeper.loop import Loop, Timer
    from prismctl.keeper.spawn import Spawner
    from prismctl.keeper.supervisor import Supervisor

POLICY: Final = RestartPolicy(
    max_restarts=5, initial_delay_seconds=0.25, max_delay_seconds=10.0, reset_after_seconds=10.0
)
_LOOK_AGAIN_SECONDS: Final = 0.2
"""Where a process of somebody else cannot be waited for, it is looked at so often."""


class Daemon(NamedTuple):
    """The daemon that introduced itself, or that this keeper was told to start."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str = "/"
    log_path: str = os.devnull
    """Standard output and error are appended here."""


class DaemonWatch:
    """At most one daemon, known by the connection it said hello on."""

    def __init__(self, *, loop: Loop, spawner: Spawner, note: Callable[[str], None]) -> None:
        self._loop = loop
        self._spawner = spawner
        self._note = note
        self._supervisor: Supervisor | None = None
        self._daemon: Daemon | None = None
        self._connection: Connection | None = None
        self._pid = 0
        self._child_pid = 0
        self._watched = -1
        self._timer: Timer | None = None
        self._failures = 0
        self._since = time.monotonic()

    def serve(self, supervisor: Supervisor) -> None:
        """Begin; children of the supervisor that are no kept processes are reported here."""
        self._supervisor = supervisor
        supervisor.on_foreign_exit = self._child_ended

    @property
    def has_daemon(self) -> bool:
        """A daemon introduced itself, or is being kept up."""
        return self._daemon is not None

    def introduce(self, connection: Connection, data: object) -> None:
        """The daemon is at the other end of ``connection``.

        Raises:
            ValueError: it does not say what would have to be started.
        """
        self._daemon = daemon_from_json(data)
        pid = data.get("pid") if isinstance(data, dict) else None
        self._pid = connection.peer_pid or (pid if type(pid) is int else 0)
        self._connection = connection
        self._cancel_waiting()
        self._since = time.monotonic()
        self._note(f"daemon pid={self._pid}")

    def start(self, daemon: Daemon) -> None:
        """Start a daemon now, and keep it up."""
        self._daemon = daemon
        self._start()

    def stand_down(self) -> None:
        """It goes, or everything does, on purpose."""
        self._daemon = None
        self._connection = None
        self._failures = 0
        self._cancel_waiting()

    def connection_ended(self, connection: Connection) -> None:
        """Some connection is over; when it was the daemon's, see to a new one."""
        if connection is not self._connection:
            return
        self._connection = None
        if self._daemon is not None:
            self._await_end()

    def _await_end(self) -> None:
        """A daemon that lost its connection but lives holds its lock: a second one could not begin."""
        if not _is_alive(self._pid):
            self._lost()
            return
        self._note(f"daemon pid={self._pid} is disconnected")
        with contextlib.suppress(AttributeError, OSError):
            self._watched = os.pidfd_open(self._pid)
            self._loop.watch(self._watched, self._seen_ended)
            return
        self._timer = self._loop.call_at(time.monotonic() + _LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        if _is_alive(self._pid):
            self._timer = self._loop.call_at(
                time.monotonic() + _LOOK_AGAIN_SECONDS, self._look_again
            )
        else:
            self._lost()

    def _seen_ended(self) -> None:
        self._cancel_waiting()
        self._lost()

    def _child_ended(self, pid: int, status: int) -> None:
        """A child that is no kept process was reaped."""
        if pid != self._child_pid:
            return
        self._child_pid = 0
        self._spared.discard(pid)
        self._note(f"daemon pid={pid} ended, {_describe(status)}")
        # With a connection, its end tells; a daemon that never said hello has none.
        if self._daemon is not None and self._connection is None and self._watched < 0:
            self._lost()

    def _lost(self) -> None:
        if self._timer is not None:
            return
        seconds = time.monotonic() - self._since
        self._failures = count_failures(POLICY, failures=self._failures, run_seconds=seconds)
        delay = restart_delay_seconds(POLICY, failures=self._failures)
        if delay is None:
            self._note(
                f"daemon ended {self._failures} times in a row; not started again, services run on"
            )
            self._daemon = None
        elif delay:
            self._note(f"daemon is started again in {delay:g} s")
            self._timer = self._loop.call_at(time.monotonic() + delay, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._timer = None
        daemon = self._daemon
        if daemon is None or self._child_pid:
            return
        self._since = time.monotonic()
        marks = (KEEPER_ID_VARIABLE, PROCESS_KEY_VARIABLE)
        command = Command(
            argv=daemon.argv,
            # The marks mean what the keeper may sweep; the daemon is not that.
            env={name: value for name, value in daemon.env.items() if name not in marks},
            cwd=daemon.cwd,
            lock_limit=self._supervisor.limit_of(DAEMON) if self._supervisor else None,
        )
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            log = os.open(daemon.log_path, flags, 0o600)
            try:
                spawned = self._spawner.spawn(command, log=log)
            finally:
                os.close(log)
        except OSError as error:
            failure = explain_failure(command, stage="fork", number=error.errno or 0)
            self._note(f"daemon cannot be started: {failure.message}")
            self._lost()
            return
        self._child_pid = self._pid = spawned.pid
        self._spared.add(spawned.pid)
        self._note(f"daemon started pid={spawned.pid}")

        def executed() -> None:
            failure = read_outcome(spawned.outcome, command)
            self._loop.unwatch(spawned.outcome)
            os.close(spawned.outcome)
            if failure is not None:
                self._note(f"daemon cannot be started: {failure.message}")

        self._loop.watch(spawned.outcome, executed)

    @property
    def _spared(self) -> set[int]:
        return self._supervisor.spared_pids if self._supervisor is not None else set()

    def _cancel_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watched >= 0:
            self._loop.unwatch(self._watched)
            os.close(self._watched)
            self._watched = -1


def daemon_from_json(data: object) -> Daemon:
    """What ``hello`` or the command line says of the daemon.

    Raises:
        ValueError: it is not complete.
    """
    if not isinstance(data, dict):
        raise ValueError("daemon is not an object")  # noqa: TRY004 - a wire form that is wrong, not a caller
    argv, env = data.get("argv"), data.get("env")
    cwd, log_path = data.get("cwd") or "/", data.get("log_path") or os.devnull
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise ValueError("daemon.argv is not a list of words")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise ValueError("daemon.env is not an object of strings")
    if not isinstance(cwd, str) or not isinstance(log_path, str):
        raise ValueError("daemon.cwd or daemon.log_path is not a string")  # noqa: TRY004 - as above
    return Daemon(tuple(argv), env, cwd, log_path)


def _is_alive(pid: int) -> bool:
    if not pid:
        return False
    facts = tree.read_facts(pid)
    if tree.HAS_PROC:
        return facts is not None and not facts.is_gone
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _describe(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit {os.WEXITSTATUS(status)}"
