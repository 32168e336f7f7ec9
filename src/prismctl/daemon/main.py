"""The daemon's process: its arguments, its lock and socket, and the order in which things come up and down.

SIGTERM and SIGINT end the daemon and nothing else: it says goodbye to the keeper, the services run on, and the
next command starts a daemon again. Only ``POST /v1/stop`` takes a stack down.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.daemon.own_log import OwnLog
from prismctl.errors import DeadlineError, PrismError
from prismctl.files.paths import Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.daemon.http_server import HttpServer
    from prismctl.files.paths import StackPaths

USAGE: Final = (
    "usage: python -m prismctl.daemon --home DIR --stack NAME"
    " [--engine NAME] [--ready-fd N] [--keeper-fd N] [--idle-seconds N] [--resume] [--sweep]"
)
FAREWELL_SECONDS: Final = 1.0
"""How long clients have to take their last answer."""
LOCK_SECONDS: Final = 40.0
"""How long a daemon that holds the lock may take to answer or to end."""
MAX_LOG_BYTES: Final = 1024 * 1024
_RETRY_SECONDS: Final = 0.01
"""Nothing tells when a lock is let go: it is tried so often, for `LOCK_SECONDS` at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The command line."""

    home: str
    stack: str
    engine: str = ""
    """Brought up at once."""
    ready_fd: int | None = None
    """Gets one line, ``ready PID``, ``held REASON`` or ``error REASON``, and is closed."""
    keeper_fd: int | None = None
    """Says when the keeper that was started beside this daemon listens."""
    idle_seconds: float = 30.0
    """How long it stays without a plan, a client and anything to do."""
    is_resumed: bool = False
    """The keeper starts it in the place of one that died: what that one had in hand is carried on."""
    is_sweep: bool = False
    """Sweep what a killed stack left behind, print what that was, and end."""


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The command line as a value; by hand, because ``argparse`` is a tenth of the start-up.

    Raises:
        ValueError: something is missing or unknown.
    """
    known = {"--home", "--stack", "--engine", "--ready-fd", "--keeper-fd", "--idle-seconds"}
    found: dict[str, str] = {}
    switches = {"--resume": False, "--sweep": False}
    waiting = iter(words)
    for word in waiting:
        if word in switches:
            switches[word] = True
            continue
        value = next(waiting, None)
        if word not in known or value is None:
            raise ValueError(f"unknown or incomplete argument {word}")
        found[word] = value
    if not found.get("--home") or not found.get("--stack"):
        raise ValueError("--home and --stack are needed")
    return Arguments(
        home=found["--home"],
        stack=found["--stack"],
        engine=found.get("--engine", ""),
        ready_fd=_descriptor(found.get("--ready-fd")),
        keeper_fd=_descriptor(found.get("--keeper-fd")),
        idle_seconds=float(found.get("--idle-seconds", "30")),
        is_resumed=switches["--resume"],
        is_sweep=switches["--sweep"],
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run the daemon until it is told to end, or sweep; the exit code."""
    try:
        arguments = parse_arguments(sys.argv[1:] if words is None else words)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n{USAGE}\n")
        return 2
    paths = Home(Path(arguments.home)).stack(arguments.stack)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o077)
    os.chdir("/")
    if arguments.is_sweep:
        return _sweep(paths)
    ready = ReadyPipe(arguments.ready_fd)
    sys.stderr = OwnLog(sys.stderr.fileno())
    try:
        paths.ensure()
        lock = wait_for_lock(paths)
        if lock is None:
            ready.say(f"held another daemon holds {paths.daemon_lock}")
            return 0
        _shorten(paths.daemon_log)
        # The lock goes with the process: who finds it free knows that nothing of the daemon is left.
        asyncio.run(_run(paths, arguments, ready))
    except PrismError as error:
        ready.say(f"error {error.message}")
        sys.stderr.write(f"error: {error.message}\n")
        return int(error.exit_code)
    return 0


class ReadyPipe:
    """Tells whoever started the daemon, once, how that went."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)

    def say(self, line: str) -> bool:
        """Say it and hang up; later words go nowhere. Whether there was nobody to hear it who should have been."""
        if self._descriptor is None:
            return False
        is_unheard = False
        try:
            os.write(self._descriptor, line.encode() + b"\n")
        except OSError:
            is_unheard = True
        os.close(self._descriptor)
        self._descriptor = None
        return is_unheard


def take_lock(paths: StackPaths) -> int | None:
    """The descriptor that holds the daemon's lock; ``None`` when another daemon has it.

    Raises:
        PrismError: the lock file cannot be opened.
    """
    try:
        descriptor = os.open(paths.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrismError(f"cannot open {paths.daemon_lock}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    # What somebody wrote into it who held a stopped stack is about the past.
    os.ftruncate(descriptor, 0)
    return descriptor


def wait_for_lock(paths: StackPaths) -> int | None:
    """The lock, or ``None`` when the daemon that has it answers; one that is about to end is waited for.

    Raises:
        PrismError: the lock file cannot be opened.
        DeadlineError: whoever has it neither answers nor ends.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := take_lock(paths)) is None:
        if _is_listening(paths.daemon_socket):
            return None
        if time.monotonic() > deadline:
            raise DeadlineError(_describe_holder(paths))
        time.sleep(_RETRY_SECONDS)
    return lock


def _describe_holder(paths: StackPaths) -> str:
    """Who has the lock and does not let go: a command at work on a stopped stack says so in the file."""
    try:
        words = paths.daemon_lock.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        words = ""
    if words:
        return f"{words} is at work on stack `{paths.name}`"
    return f"the daemon that holds {paths.daemon_lock} does not answer"


async def _run(paths: StackPaths, arguments: Arguments, ready: ReadyPipe) -> None:
    from prismctl.daemon.unix_socket import is_own_user, listen

    # Requests wait in the socket's queue while the rest is imported.
    listening = listen(paths.daemon_socket)
    from prismctl.daemon.api import Api
    from prismctl.daemon.http_server import HttpServer
    from prismctl.daemon.stack import Stack

    loop = asyncio.get_running_loop()
    stack = Stack(paths, idle_seconds=arguments.idle_seconds)
    leaving = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, leaving.set)
    api = Api(stack)
    stack.dashboard.answer_with(api.handle)
    server = HttpServer(
        api.handle,
        admits=is_own_user,
        on_connect=stack.idleness.client_came,
        on_end=stack.idleness.client_went,
    )
    stack.stop_listening = lambda: _stop_listening(server, paths)
    try:
        await stack.open(arguments.keeper_fd, is_resumed=arguments.is_resumed)
        await server.serve(listening)
        is_unheard = ready.say(f"ready {os.getpid()}")
        # While the plan is being made elsewhere: the page is served before anything of it runs.
        import prismctl.daemon.web.site  # noqa: F401

        if arguments.engine:
            _warm(stack, arguments.engine)
        if is_unheard:
            stack.idleness.lose_starter()
        await _wait_for_either(leaving, stack.ended)
    finally:
        grace_seconds = FAREWELL_SECONDS if stack.ended.is_set() else 0.0
        await asyncio.gather(
            server.close(grace_seconds=grace_seconds),
            stack.dashboard.close(grace_seconds=grace_seconds),
        )
        listening.close()
        is_over = stack.ended.is_set() or stack.monitor.plan is None
        if is_over and not stack.ended.is_set():
            with contextlib.suppress(PrismError):
                await stack.stop_everything(kill=False)
        await stack.close()
        _stop_listening(server, paths)
        if is_over and paths.socket_directory != paths.directory:
            # The lock is still ours: nobody can be about to listen there.
            with contextlib.suppress(OSError):
                paths.socket_directory.rmdir()


def _stop_listening(server: HttpServer, paths: StackPaths) -> None:
    server.stop_listening()
    with contextlib.suppress(FileNotFoundError):
        paths.daemon_socket.unlink()


def _warm(stack: object, engine: str) -> None:
    from prismctl.daemon.operations.queue import WARM
    from prismctl.daemon.stack import Stack
    from prismctl.domain.plan import EngineName

    if isinstance(stack, Stack) and engine in set(EngineName):
        stack.operations.start(f"{WARM}{engine}", lambda: stack.warm(EngineName(engine)))


async def _wait_for_either(first: asyncio.Event, second: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def _sweep(paths: StackPaths) -> int:
    from prismctl.daemon.http import render_error
    from prismctl.daemon.sweep import print_document, sweep_stack
    from prismctl.errors import RejectedError

    if not paths.directory.is_dir():
        print_document(
            {"processes": [], "containers": [], "engine": "", "sockets": [], "plan": False}
        )
        return 0
    try:
        lock = take_lock(paths)
        if lock is None:
            raise RejectedError(
                f"stack `{paths.name}` has a daemon", hint="`prismctl dev stop` stops it"
            )
        if _is_listening(paths.keeper_socket):
            raise RejectedError(
                f"stack `{paths.name}` has a keeper",
                hint="`prismctl dev stop` stops it, and where that cannot, `prismctl dev doctor --fix` does",
            )
        print_document(sweep_stack(paths))
        os.close(lock)
    except PrismError as error:
        print_document({"error": render_error(error)})
        return int(error.exit_code)
    return 0


def _is_listening(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def _shorten(log: Path) -> None:
    """Keep the end of a log that has grown; it is opened for appending, so that writing goes on."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > MAX_LOG_BYTES:
            end = log.read_bytes()[-MAX_LOG_BYTES // 4 :]
            log.write_bytes(end)


def _descriptor(text: str | None) -> int | None:
    return None if text is None else int(text)
