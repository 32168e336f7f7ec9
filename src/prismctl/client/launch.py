"""Starts the two processes of a stack, and the sweep of one that was killed."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import prismctl
from prismctl.client.http import as_error
from prismctl.client.sockets import answers, poll_connect
from prismctl.errors import DeadlineError, ExitCode, PrismError, UnavailableError

if TYPE_CHECKING:
    import subprocess

    from prismctl.files.paths import StackPaths

START_SECONDS: Final = 60.0
"""How long a daemon may take to listen; it needs a few tenths of a second, but where a disk is busy with
something else, every program takes tens of seconds."""

_KEEPER_MARKS: Final = frozenset({"PRISM_KEEPER", "PRISM_PROCESS"})


@dataclass(slots=True)
class StartingDaemon:
    """A daemon on its way; whoever started it can do something else meanwhile."""

    paths: StackPaths
    _pipe: int
    is_ours: bool = True
    """Whether it is this one that listens, and not another that was faster; told once it was waited for."""
    _is_over: bool = False
    _error: PrismError | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)
    """Whose turn it is to read what it says: a picker waits in a thread, and whoever leaves it too."""

    def wait(self, timeout_seconds: float = START_SECONDS) -> None:
        """Return once a daemon listens: this one, or the one that was faster.

        Waiting again, after it is over or after an interrupt, has the same end, and so has waiting in several threads.

        Raises:
            UnavailableError: it ended before it listened; the message says why.
            DeadlineError: it did not say anything in time.
        """
        with self._turn:
            if not self._is_over:
                deadline = time.monotonic() + timeout_seconds
                said = _read_line(self._pipe, deadline)
                os.close(self._pipe)
                self._is_over = True
                try:
                    self._conclude(said, deadline, timeout_seconds)
                except PrismError as error:
                    self._error = error
        if self._error is not None:
            raise self._error

    def _conclude(self, said: str, deadline: float, timeout_seconds: float) -> None:
        word, _, rest = said.partition(" ")
        if word == "ready":
            return
        if word == "held":
            winner = poll_connect(self.paths.daemon_socket, deadline - time.monotonic())
            if winner is not None:
                winner.close()
                self.is_ours = False
                return
        hint = f"`cat {self.paths.daemon_log}` shows what it said"
        if time.monotonic() >= deadline:
            raise DeadlineError(
                f"the daemon did not listen within {timeout_seconds:g} s", hint=hint
            )
        reap()
        raise UnavailableError(rest or "the daemon ended before it listened", hint=hint)


def start_daemon(paths: StackPaths, engine_hint: str = "") -> StartingDaemon:
    """Start the keeper and the daemon of a stack side by side, without waiting for either.

    With ``engine_hint`` the daemon brings that engine's agents up at once. Both outlive this process.

    Raises:
        PrismError: home cannot be written, or nothing can be started.
    """
    import subprocess

    paths.ensure()
    environment = {name: text for name, text in os.environ.items() if name not in _KEEPER_MARKS}
    keeper_said, keeper_says = os.pipe()
    daemon_said, daemon_says = os.pipe()
    home = paths.directory.parent.parent
    daemon = [sys.executable, "-P", "-m", "prismctl.daemon", "--home", str(home)]
    daemon += ["--stack", paths.name, "--ready-fd", str(daemon_says)]
    daemon += ["--engine", engine_hint] if engine_hint else []
    handed_over = [daemon_says]
    try:
        if not answers(paths.keeper_socket):
            keeper = [*_keeper_argv(paths), "--ready-fd", str(keeper_says)]
            _spawn(subprocess, keeper, environment, paths.keeper_log, (keeper_says,))
            daemon += ["--keeper-fd", str(keeper_said)]
            handed_over.append(keeper_said)
        _spawn(subprocess, daemon, environment, paths.daemon_log, tuple(handed_over))
    except OSError as error:
        from prismctl.files.atomic import describe_way_out

        os.close(daemon_said)
        reason = (error.strerror or str(error)).lower()
        place = Path(os.fsdecode(error.filename or paths.directory))
        raise PrismError(
            f"cannot start the daemon: {place}: {reason}", hint=describe_way_out(error, place)
        ) from error
    finally:
        for descriptor in (keeper_said, keeper_says, daemon_says):
            os.close(descriptor)
    return StartingDaemon(paths, daemon_said)


def sweep(paths: StackPaths) -> dict[str, Any]:
    """End what a killed stack left behind and remove its plan; nothing that this home did not start is touched.

    The answer is ``{"processes": [{"pid", "key", "command"}…], "containers": [{"id", "name"}…], "sockets": [PATH…], "plan": bool}``.

    Raises:
        RejectedError: the stack is not left behind but runs.
        PrismError: something could not be ended.
    """
    import subprocess

    home = paths.directory.parent.parent
    argv = [sys.executable, "-P", "-m", "prismctl.daemon", "--sweep"]
    argv += ["--home", str(home), "--stack", paths.name]
    environment = {name: text for name, text in os.environ.items() if name not in _KEEPER_MARKS}
    done = subprocess.run(argv, capture_output=True, env=environment, cwd="/", check=False)
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PrismError(f"the sweep failed: {said[-1] if said else 'it said nothing'}") from error
    if "error" in document:
        raise as_error(document["error"], ExitCode.FAILED)
    swept: dict[str, Any] = document
    return swept


_children: list[subprocess.Popen[bytes]] = []


def _spawn(
    module: Any,
    argv: list[str],
    environment: dict[str, str],
    log: Path,
    descriptors: tuple[int, ...],
) -> None:
    with log.open("ab") as output:
        log.chmod(0o600)
        child = module.Popen(
            argv,
            stdin=module.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            pass_fds=descriptors,
            start_new_session=True,
        )
    _children.append(child)


def reap() -> None:
    """Take note of started processes that have ended, so that a long-lived caller keeps no zombies."""
    _children[:] = [child for child in _children if child.poll() is None]


def _keeper_argv(paths: StackPaths) -> list[str]:
    """By path and without ``site``, which halves its start-up time."""
    program = Path(prismctl.__file__).parent / "keeper" / "__main__.py"
    argv = [sys.executable, "-I", "-S", str(program), "--socket", str(paths.keeper_socket)]
    argv += ["--lock", str(paths.keeper_lock), "--id", paths.keeper_id]
    return [*argv, "--log", str(paths.keeper_log)]


def _read_line(descriptor: int, deadline: float) -> str:
    """What comes until the end of the line, of the pipe, or of the time."""
    said = b""
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        part = os.read(descriptor, 4096)
        if not part:
            break
        said += part
    return said.decode(errors="replace").strip()
