"""The terminal lent to another program: run on it as it is, with what Ctrl-C makes going to that program."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.tui.dashboard.doing import Foreground


def run_in_foreground(program: Foreground) -> int | None:
    """Run a program on the terminal as it is; its exit code, ``None`` where it could not be started."""
    if program.above:
        sys.stdout.write(f"{program.above}\n")
        sys.stdout.flush()
    try:
        code = subprocess.run(program.words, env=dict(program.environment), check=False).returncode
    except OSError:
        return None
    _take_terminal()
    if program.waits:
        sys.stdout.write(f"\n[exit {code}] enter goes back to the dashboard ")
        sys.stdout.flush()
        with contextlib.suppress(OSError):
            sys.stdin.readline()
    return code


def _take_terminal() -> None:
    """Be who the terminal listens to again: a shell that was killed has not given it back."""
    heard = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    except OSError:
        # The terminal has gone, and nobody else will say so to a process in the background.
        os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGTTOU, heard)


@contextlib.contextmanager
def unheard_signals() -> Iterator[None]:
    """What Ctrl-C makes while another program has the terminal is for that program."""
    descriptor = signal.set_wakeup_fd(-1)
    heard = {
        number: signal.signal(number, _do_nothing) for number in (signal.SIGINT, signal.SIGQUIT)
    }
    try:
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)


def _do_nothing(_signal: int, _frame: object) -> None:
    """Not ignored: what is ignored here would be ignored by the other program, too."""
