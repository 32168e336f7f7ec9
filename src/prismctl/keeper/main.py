"""The keeper's process: its arguments, its lock and socket, its log, and the order in which they come."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.keeper.listener import CannotListenError, HeldError, listen, take_lock

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from prismctl.keeper.server import Server

USAGE: Final = (
    "usage: python -m prismctl.keeper --socket PATH --lock PATH --id ID --log PATH"
    " [--ready-fd N] [--daemon-argv JSON] [--daemon-log PATH] [--patience-seconds S]"
)
MAX_LOG_BYTES: Final = 1024 * 1024
_STDERR: Final = 2
_EXIT_DONE, _EXIT_FAILED, _EXIT_INVALID, _EXIT_HELD = 0, 1, 2, 5


class Arguments(NamedTuple):
    """The command line."""

    socket: str = ""
    lock: str = ""
    id: str = ""
    """The identity that everything started from here is marked with."""
    log: str = ""
    ready_fd: int | None = None
    """Gets one line, ``ready PID``, ``held REASON`` or ``error REASON``, and is closed."""
    daemon_argv: str = ""
    """A JSON list: a daemon to start at once and keep up, with this process's environment."""
    daemon_log: str = os.devnull
    patience_seconds: float = 30.0
    """After this long without a daemon and without anything to keep, there is nobody to be here for."""


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The command line as a value; written by hand because ``argparse`` takes as long as all the rest.

    Raises:
        ValueError: something is missing or unknown.
    """
    found: dict[str, str] = {}
    waiting = iter(words)
    for word in waiting:
        name = word.removeprefix("--").replace("-", "_")
        if not word.startswith("--") or name not in Arguments._fields:
            raise ValueError(f"unknown argument {word}")
        value = next(waiting, None)
        if value is None:
            raise ValueError(f"{word} lacks its value")
        found[name] = value
    missing = [name for name in ("socket", "lock", "id", "log") if not found.get(name)]
    if missing:
        raise ValueError(f"missing --{', --'.join(missing)}")
    ready = found.pop("ready_fd", None)
    patience = float(found.pop("patience_seconds", Arguments().patience_seconds))
    if found.get("daemon_argv"):
        import json

        argv = json.loads(found["daemon_argv"])
        if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
            raise ValueError("--daemon-argv is not a list of words")
    return Arguments(
        **found, ready_fd=None if ready is None else int(ready), patience_seconds=patience
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run the keeper until it is told to end; the exit code."""
    try:
        arguments = parse_arguments(sys.argv[1:] if words is None else words)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n{USAGE}\n")
        return _EXIT_INVALID
    # Whoever started this decided about its life by other means than a terminal's.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    _close_inherited(arguments.ready_fd)
    try:
        lock = take_lock(arguments.lock)
        listening = listen(arguments.socket)
    except CannotListenError as error:
        is_held = isinstance(error, HeldError)
        _say(arguments.ready_fd, f"{'held' if is_held else 'error'} {error}")
        sys.stderr.write(f"error: {error}\n")
        return _EXIT_HELD if is_held else _EXIT_FAILED
    # Requests wait in the socket's queue: clients need not wait for the rest of the imports.
    _say(arguments.ready_fd, f"ready {os.getpid()}")
    with contextlib.closing(listening):
        code = _keep(arguments, listening)
    os.close(lock)
    return code


def _keep(arguments: Arguments, listening: socket.socket) -> int:
    import gc

    from prismctl.keeper.daemon_watch import Daemon, DaemonWatch
    from prismctl.keeper.logs import Stamper
    from prismctl.keeper.loop import Loop
    from prismctl.keeper.own_log import OwnLog
    from prismctl.keeper.server import Server
    from prismctl.keeper.spawn import Spawner
    from prismctl.keeper.supervisor import Supervisor

    stamper = Stamper()
    log = OwnLog(arguments.log, stamper, max_bytes=MAX_LOG_BYTES)
    log.note(f"keeper {arguments.id} pid={os.getpid()} socket={arguments.socket}")
    spawner = Spawner()
    if not spawner.become_subreaper():
        log.note("orphans cannot be adopted here: what leaves its process group can escape")
    loop = Loop()
    daemon = DaemonWatch(loop=loop, spawner=spawner, note=log.note)
    server = Server(listening, loop=loop, daemon=daemon, keeper_id=arguments.id, note=log.note)
    supervisor = Supervisor(
        loop=loop,
        spawner=spawner,
        stamper=stamper,
        keeper_id=arguments.id,
        on_event=server.broadcast,
        note=log.note,
    )
    left_behind: list[str] = []

    def end(left: str) -> None:
        left_behind.append(left)
        loop.stop()

    daemon.serve(supervisor)
    server.serve(supervisor, on_shutdown=end)
    loop.on_signal(signal.SIGCHLD, supervisor.reap)
    loop.on_signal(signal.SIGTERM, _terminator(server, log.note))
    if arguments.daemon_argv:
        import json

        argv = json.loads(arguments.daemon_argv)
        daemon.start(Daemon(tuple(argv), dict(os.environ), "/", arguments.daemon_log))

    def end_if_alone() -> None:
        if not daemon.has_daemon and not supervisor.statuses():
            log.note("no daemon came, and there is nothing to keep")
            server.shut_down()

    loop.call_at(time.monotonic() + arguments.patience_seconds, end_if_alone)
    # What is there now stays: children need not copy the pages that a collection would touch.
    gc.collect()
    gc.freeze()
    loop.run()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(arguments.socket)
    supervisor.close()
    server.close()
    left = next(filter(None, left_behind), "")
    log.note(f"ended, left behind: {left}" if left else "ended, nothing is left")
    loop.close()
    log.close()
    return _EXIT_FAILED if left else _EXIT_DONE


def _terminator(server: Server, note: Callable[[str], None]) -> Callable[[], None]:
    """What SIGTERM does: end everything in good order; when it comes again, at once."""
    times = 0

    def terminate() -> None:
        nonlocal times
        times += 1
        note(f"SIGTERM, the {times}. time" if times > 1 else "SIGTERM")
        server.shut_down(kill=times > 1)

    return terminate


def _close_inherited(kept: int | None) -> None:
    """Descriptors that somebody forgot to close would otherwise live as long as the stack does."""
    with contextlib.suppress(OSError):
        for name in os.listdir("/dev/fd"):
            number = int(name)
            if number > _STDERR and number != kept:
                with contextlib.suppress(OSError):
                    os.close(number)
    # The first three must be taken, or a lock or pipe would become somebody's standard output.
    while (null := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(null)


def _say(descriptor: int | None, line: str) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.write(descriptor, line.encode() + b"\n")
            os.close(descriptor)
