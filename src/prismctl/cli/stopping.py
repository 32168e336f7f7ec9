"""Taking a stack down, and clearing up after one that ended badly; done means that nothing is left."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.interrupts import Terminated
from prismctl.cli.stack import find_lost_supervisors
from prismctl.client import (
    StackClient,
    StackCondition,
    find_condition,
    has_daemon_ended,
    sweep,
)
from prismctl.errors import PrismError, RejectedError, UnavailableError
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.client import StartingDaemon
    from prismctl.files.paths import StackPaths

_GONE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.01
"""Of the end of a process that is no child of this one, nobody tells: it is looked for so often."""
_LOST_SECONDS: Final = 20.0
_ENDING_SECONDS: Final = 0.3
"""A keeper that ends lets go of its lock a little before it is gone, and is not lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What was taken down."""

    services: list[str]
    components: list[str]
    """Agents of the engine."""
    swept: list[str]
    """What ran beside it and nobody could reach any more, in words."""
    notes: list[str]
    """What else to know, a line each."""


def stop_stack(call: Invocation, *, kill: bool) -> Stopped:
    """Stop the running stack.

    Raises:
        PrismError: something of it is left.
    """
    client = StackClient(call.paths)
    status = client.status()
    services = [service["name"] for service in status["services"] if service["state"] != "stopped"]
    components = [name for name, state in status["components"].items() if state != "stopped"]
    notes = tell_stop(call, client.stop(kill=kill))
    verify_stopped(call.paths)
    return Stopped(services=services, components=components, swept=sweep_lost(call), notes=notes)


def finish_stop(call: Invocation, client: StackClient) -> bool:
    """Wait for the end of a stop that is under way or was cut short; whether the stack is down after that.

    Raises:
        PrismError: something of it does not end.
    """
    try:
        if client.status()["state"] != "stopping":
            return False
        call.report([line(f"stack {call.stack} is still being stopped; this waits for it")])
        tell_stop(call, client.stop())
    except UnavailableError:
        # It came to its end just now.
        if find_condition(call.paths) in {StackCondition.RUNNING, StackCondition.UNATTENDED}:
            raise
    verify_stopped(call.paths)
    return True


def take_down(client: StackClient) -> bool:
    """Stop a daemon that has nothing to look after, without a word; whether it had nothing.

    Whether it has is for the daemon to say: somebody else may just be giving it a plan.
    """
    try:
        for _ in client.stop(only_unclaimed=True):
            pass
    except RejectedError:
        return False
    return True


def tell_stop(call: Invocation, messages: Iterator[dict[str, Any]]) -> list[str]:
    """Follow a stop to its result, and return its notes; with ``-v``, tell each event."""
    from prismctl.present.events import event_line

    notes: list[str] = []
    for message in messages:
        if call.is_verbose and not call.is_json and "event" in message:
            told = event_line(message["event"], is_verbose=True)
            if told:
                call.report([told])
        notes += message.get("result", {}).get("notes", [])
    return notes


def verify_stopped(paths: StackPaths) -> None:
    """Look again, from outside, until keeper and daemon are gone; they go right after their last answer.

    Raises:
        PrismError: something still answers, or a plan is still there.
    """
    deadline = time.monotonic() + _GONE_SECONDS
    while (condition := find_condition(paths)) is not StackCondition.STOPPED:
        if condition is StackCondition.LEFT_BEHIND:
            sweep(paths)
        elif time.monotonic() >= deadline:
            raise PrismError(
                f"stack `{paths.name}` is still {condition.value} after it was stopped",
                hint="`prismctl dev stop --kill` ends everything at once",
            )
        else:
            time.sleep(_LOOK_SECONDS)
    while not has_daemon_ended(paths) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def sweep_leftovers(paths: StackPaths) -> list[str]:
    """End what a stack that was killed left behind; what was ended, in words, nothing when it ended well."""
    if find_condition(paths) is not StackCondition.LEFT_BEHIND:
        return []
    return describe_swept(sweep(paths)) or ["the plan of a run that ended without being stopped"]


def describe_swept(swept: dict[str, Any]) -> list[str]:
    """The processes and containers that a sweep has ended, in words."""
    processes = [
        f"{process.get('key') or process.get('command') or 'a process'} (PID {process['pid']})"
        for process in swept.get("processes", [])
    ]
    return [*processes, *(f"container {each['name']}" for each in swept.get("containers", []))]


def sweep_lost(call: Invocation) -> list[str]:
    """End a stack whose directory was removed under it, and that nobody can reach any more; what was ended, in words.

    Raises:
        PrismError: something of it does not end.
    """
    found = find_lost_supervisors(call.paths)
    if not found:
        return []
    import psutil

    processes = []
    for each in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(each.pid))
    lost = psutil.wait_procs(processes, timeout=_ENDING_SECONDS)[1]
    if not lost:
        return []
    for process in lost:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    living = psutil.wait_procs(lost, timeout=_LOST_SECONDS)[1]
    if living:
        pids = " ".join(str(process.pid) for process in living)
        raise PrismError(
            f"stack `{call.stack}` lost its directory while it ran, and PID {pids} does not end",
            hint=f"kill -9 {pids}",
        )
    swept = describe_swept(sweep(call.paths))
    pids = ", ".join(str(process.pid) for process in lost)
    return [f"the keeper and the daemon of a stack that lost its directory (PID {pids})", *swept]


def stop_after_interrupt(call: Invocation, daemon: StartingDaemon) -> str:
    """Stop what a start began; a second interrupt kills it. How it was left, in words."""
    client = StackClient(call.paths)
    write_notice("stopping what this start began; Ctrl-C again kills it")
    try:
        daemon.wait()
        tell_stop(call, client.stop())
    except (KeyboardInterrupt, Terminated):
        write_notice("killing it")
        tell_stop(call, client.stop(kill=True))
        return "killed"
    return "stopped"


def write_notice(words: str) -> None:
    """Something to know at once, also under ``-q``."""
    sys.stdout.flush()
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
