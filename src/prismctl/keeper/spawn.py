"""Forks and executes one command, with everything set up that a kept process has to start with.

Needs a single-threaded caller: that makes ``fork`` safe, and on Linux the parent-death signal is sent when
the *thread* that forked ends. There is no such signal elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.keeper.lineage import RLIMIT_LOCKS

if TYPE_CHECKING:
    from collections.abc import Callable

CHILD_UMASK: Final = 0o022
"""The usual one: data must stay readable for the tools that go with a service and for containers that run as
another user. What is secret lies in a 0700 home and is created 0600 by whoever writes it."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_NOT_EXECUTED: Final = 127

_HANDLED: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What the keeper does not leave to the system. Few, because each costs an enum lookup in parent and child."""

_TRANSIENT: Final = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.ETXTBSY, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EINTR}
)


class Command(NamedTuple):
    """What is executed, and in which surroundings."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    parent_death_signal: int = 0
    """0: none."""
    lock_limit: int | None = None
    """The mark of ``lineage``; ``None``: none."""


class Spawned(NamedTuple):
    """A child that exists; its program may not run yet."""

    pid: int
    output: int
    """Reading end of its standard output, non-blocking; -1 when it went elsewhere."""
    errors: int
    """Reading end of its standard error, non-blocking; -1 when it went elsewhere."""
    outcome: int
    """Ends when the program is executed; ``read_outcome`` says whether it was."""


class SpawnFailure(NamedTuple):
    """Why a program could not be executed."""

    message: str
    is_permanent: bool
    """It will be the same next time."""


class Spawner:
    """Makes children; created once, when the process starts."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._prctl = _load_prctl()
        self._open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        _allow_many_files(self._open_files)
        # Only ignored signals pass through an exec; Python ignores two of its own.
        self._ignored = [
            number
            for number in signal.valid_signals()
            if signal.getsignal(number) is signal.SIG_IGN
        ]

    def become_subreaper(self) -> bool:
        """Have orphaned descendants handed to this process instead of init; False where that is unknown."""
        return self._prctl is not None and self._prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0

    def spawn(self, command: Command, *, log: int | None = None) -> Spawned:
        """Fork; output goes to pipes, or to the file ``log``.

        Raises:
            OSError: the system has no room for another process or pipe.
        """
        with contextlib.ExitStack() as undo:
            outcome = _open_pipe(undo)
            if log is None:
                output, errors = _open_pipe(undo), _open_pipe(undo)
            else:
                output = errors = (-1, log)
            programs = _find_programs(command)
            # A signal that came between fork and exec would run the parent's handlers in the child.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
            try:
                pid = os.fork()
                if not pid:
                    self._execute(command, programs, output[1], errors[1], outcome[1])
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            undo.pop_all()
        os.close(outcome[1])
        if log is None:
            os.close(output[1])
            os.close(errors[1])
        return Spawned(pid, output[0], errors[0], outcome[0])

    def _execute(
        self, command: Command, programs: list[bytes], output: int, errors: int, outcome: int
    ) -> None:
        """The child's side: never returns."""
        stage = "setup"
        try:
            os.setsid()
            for number in (*self._ignored, *_HANDLED):
                signal.signal(number, signal.SIG_DFL)
            if command.parent_death_signal and self._prctl is not None:
                self._prctl(_PR_SET_PDEATHSIG, command.parent_death_signal, 0, 0, 0)
                if os.getppid() != self._pid:
                    # The parent died before it could be asked for; nobody will tell us.
                    os._exit(_NOT_EXECUTED)
            os.dup2(self._null, 0)
            os.dup2(output, 1)
            os.dup2(errors, 2)
            resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)
            if command.lock_limit is not None:
                resource.setrlimit(RLIMIT_LOCKS, (command.lock_limit, command.lock_limit))
            os.umask(CHILD_UMASK)
            stage = "cwd"
            os.chdir(command.cwd)
            stage = "exec"
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            _execute_first(programs, command)
        except OSError as error:
            os.write(outcome, f"{stage} {error.errno}".encode())
        finally:
            os._exit(_NOT_EXECUTED)


def read_outcome(descriptor: int, command: Command) -> SpawnFailure | None:
    """What became of an exec, once the pipe has ended or has something to say; ``None``: it worked."""
    stage, _, number = os.read(descriptor, 64).decode().partition(" ")
    if not stage:
        return None
    return explain_failure(command, stage=stage, number=int(number))


def explain_failure(command: Command, *, stage: str, number: int) -> SpawnFailure:
    """An errno in the words of who has to do something about it."""
    program = command.argv[0]
    reason = os.strerror(number).lower()
    if stage == "cwd":
        reason = f"working directory {command.cwd}: {reason}"
    elif stage == "exec" and number == errno.ENOENT:
        if "/" not in program:
            reason = f"{program} is not on the PATH ({command.env.get('PATH', os.defpath)})"
        elif os.path.exists(os.path.join(command.cwd, program)):
            reason = f"the interpreter or loader that {program} names does not exist"
        else:
            reason = f"{program}: no such file"
    elif stage == "exec" and number == errno.EACCES:
        reason = f"{program} is not executable (permission denied)"
    elif stage == "exec" and number == errno.ENOEXEC:
        reason = f"{program} is not in an executable format"
    else:
        reason = f"{program}: {reason}"
    return SpawnFailure(reason, is_permanent=number not in _TRANSIENT)


def _execute_first(programs: list[bytes], command: Command) -> None:
    refused: OSError | None = None
    missing: OSError | None = None
    for program in programs:
        try:
            os.execve(program, command.argv, command.env)  # noqa: S606 - there must be no shell
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = error
        except PermissionError as error:
            refused = error
    # One that is there but may not be run says more than one that is not there.
    raise refused or missing or FileNotFoundError(errno.ENOENT, "")


def _find_programs(command: Command) -> list[bytes]:
    program = os.fsencode(command.argv[0])
    if b"/" in program:
        return [program]
    folders = os.fsencode(command.env.get("PATH", os.defpath)).split(os.fsencode(os.pathsep))
    return [os.path.join(folder, program) for folder in folders]


def _open_pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    reading, writing = os.pipe()
    undo.callback(os.close, reading)
    undo.callback(os.close, writing)
    os.set_blocking(reading, False)
    return reading, writing


def _allow_many_files(limits: tuple[int, int]) -> None:
    wanted = 65536 if limits[1] == resource.RLIM_INFINITY else min(limits[1], 65536)
    if limits[0] != resource.RLIM_INFINITY and limits[0] < wanted:
        # macOS refuses more than a limit that it does not tell.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limits[1]))


def _load_prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    prctl.restype = ctypes.c_int
    call: Callable[..., int] = prctl
    return call
