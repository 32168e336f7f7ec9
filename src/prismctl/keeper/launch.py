"""Starts a keeper and waits for the fact that it listens. Standard library only."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from prismctl.errors import DeadlineError, RejectedError, UnavailableError

START_SECONDS: Final = 10.0
"""How long a keeper may take to listen; it needs a few hundredths of one."""


class KeeperPlace(NamedTuple):
    """Where one keeper lives and who it is."""

    socket_path: Path
    lock_path: Path
    log_path: Path
    keeper_id: str
    """Marks everything started by it; a sweep recognises leftovers by it."""


def keeper_argv(place: KeeperPlace, *, ready_fd: int | None = None) -> list[str]:
    """The command line of a keeper; run by path and without ``site``, which halves its start-up time."""
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("__main__.py"))]
    argv += ["--socket", str(place.socket_path), "--lock", str(place.lock_path)]
    argv += ["--id", place.keeper_id, "--log", str(place.log_path)]
    return argv if ready_fd is None else [*argv, "--ready-fd", str(ready_fd)]


def start_keeper(place: KeeperPlace, *, timeout_seconds: float = START_SECONDS) -> int:
    """Start a keeper in a session of its own and return its PID once its socket accepts connections.

    Raises:
        RejectedError: another keeper holds the lock.
        UnavailableError: it could not listen; the message says why.
        DeadlineError: it did not say anything in time, and was ended.
    """
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            keeper_argv(place, ready_fd=writing),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=(writing,),
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        raise UnavailableError(f"the keeper cannot be started: {error.strerror}") from error
    finally:
        os.close(writing)
    try:
        said = _read_line(reading, time.monotonic() + timeout_seconds)
    finally:
        os.close(reading)
    if said is None:
        process.kill()
        process.wait()
        raise DeadlineError(f"the keeper did not listen within {timeout_seconds:g} s")
    word, _, rest = said.partition(" ")
    if word == "ready":
        # It outlives this process on purpose; nobody here waits for it.
        process.returncode = 0
        return process.pid
    process.wait()
    if word == "held":
        raise RejectedError(rest)
    raise UnavailableError(
        f"the keeper could not begin: {rest}" if rest else "the keeper ended before it listened",
        hint=f"`cat {place.log_path}` shows what it said",
    )


def _read_line(descriptor: int, deadline: float) -> str | None:
    """What comes until the end of the line or of the pipe; ``None``: not in time."""
    said = b""
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        part = os.read(descriptor, 4096)
        if not part:
            break
        said += part
    return said.decode(errors="replace").strip()
