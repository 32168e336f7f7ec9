"""Ends what a killed stack left behind; only what carries this stack's mark, each known by PID and start time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from prismctl.daemon.process_table import (
    ProcessFacts,
    find_descendants,
    read_command,
    read_marks,
    read_process,
    read_processes,
)
from prismctl.daemon.state_file import remove_files
from prismctl.errors import PrismError
from prismctl.keeper.freezer import is_frozen, let_die
from prismctl.runtime.container_sweep import let_containers_go_on, sweep_containers

if TYPE_CHECKING:
    from collections.abc import Collection

    from prismctl.files.paths import StackPaths

GRACE_SECONDS: Final = 2.0
"""How long leftovers have to end by themselves before they are killed."""
END_SECONDS: Final = 5.0
"""How long killed processes may take to be gone."""
FREED_SECONDS: Final = 1.0
"""How long whoever keeps a container that was paused and killed may take to write down that it ended."""
_KEEPER: Final = "prismctl/keeper/__main__.py"
"""What the command of a keeper has in it."""
_POLL_SECONDS: Final = 0.02
"""Where no descriptor tells of the end of a process that is no child, it is looked at so often."""


def find_leftovers(keeper_id: str, spare: Collection[int] = ()) -> dict[int, ProcessFacts]:
    """The living processes that carry a keeper's mark, and what descends from them.

    What another keeper keeps is none of them: of a stack whose directory was removed under it, whose keeper would bring
    back for ever what is ended. It is ended by name, and what it leaves is found then.
    """
    processes = read_processes()
    marked = {
        pid
        for pid, facts in processes.items()
        if not facts.is_gone and pid not in spare and read_marks(pid)[0] == keeper_id
    }
    own = {os.getppid(), *spare}
    parents = {processes[pid].parent for pid in marked} - own
    others = {pid for pid in parents if _KEEPER in read_command(pid)}
    kept = {pid for pid in marked if processes[pid].parent in others}
    family = find_descendants(processes, marked) - find_descendants(processes, kept)
    return {
        pid: processes[pid]
        for pid in family
        if not processes[pid].is_gone and pid not in spare and pid != os.getpid()
    }


def end_leftovers(
    keeper_id: str, *, spare: Collection[int] = (), grace_seconds: float = GRACE_SECONDS
) -> list[dict[str, Any]]:
    """Terminate what is left, kill what stays; what it was, as ``pid``, ``key`` and ``command``.

    Raises:
        PrismError: something would not end.
    """
    ended: dict[int, dict[str, Any]] = {}
    asked: set[int] = set()
    killed: set[int] = set()
    deadline = time.monotonic() + grace_seconds
    signum = signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL
    # Again, because what is being ended may just have started something.
    while leftovers := find_leftovers(keeper_id, spare):
        for pid in leftovers.keys() - ended.keys():
            ended[pid] = {"pid": pid, "key": read_marks(pid)[1], "command": read_command(pid)}
        untried = {pid: facts for pid, facts in leftovers.items() if pid not in killed}
        if freed := _kill_frozen(untried):
            killed |= freed.keys()
            _wait_for_one(_parents_of(freed, leftovers), time.monotonic() + FREED_SECONDS)
            continue
        for pid, facts in leftovers.items():
            if pid not in asked or signum is signal.SIGKILL:
                asked.add(pid)
                signal_process(facts, signum)
        _wait_for_one(leftovers, deadline)
        if time.monotonic() >= deadline:
            if signum is signal.SIGKILL:
                names = ", ".join(str(pid) for pid in sorted(find_leftovers(keeper_id, spare)))
                if names:
                    raise PrismError(
                        f"not even SIGKILL ends {names}",
                        hint=f"`ps -o pid,stat,wchan,args -p {names.replace(', ', ',')}` shows what holds them",
                    )
            signum = signal.SIGKILL
            deadline = time.monotonic() + END_SECONDS
    return list(ended.values())


def remove_sockets(paths: StackPaths) -> list[str]:
    """Remove sockets at which nobody answers any more."""
    removed = []
    for path in (paths.daemon_socket, paths.keeper_socket):
        if path.is_socket():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                removed.append(str(path))
    if paths.socket_directory != paths.directory:
        with contextlib.suppress(OSError):
            paths.socket_directory.rmdir()
        paths.socket_pointer.unlink(missing_ok=True)
    return removed


def sweep_engine(paths: StackPaths) -> str:
    """End what a Nomad of this stack left behind; in words, empty when there was nothing."""
    if not (paths.agents / "nomad").exists():
        return ""
    import asyncio

    from prismctl.engine.nomad.layout import AgentLayout
    from prismctl.engine.nomad.sweep import sweep

    swept = asyncio.run(sweep(AgentLayout(paths)))
    return str(swept) if swept else ""


def sweep_stack(paths: StackPaths) -> dict[str, Any]:
    """Everything there is to sweep of a stack that neither a keeper nor a daemon looks after.

    Raises:
        PrismError: something would not end.
    """
    had_plan = paths.plan.exists()
    let_containers_go_on(paths)
    processes = end_leftovers(paths.keeper_id)
    containers = sweep_containers(paths)
    engine = sweep_engine(paths)
    sockets = remove_sockets(paths)
    remove_files(paths)
    return {
        "processes": processes,
        "containers": containers,
        "engine": engine,
        "sockets": sockets,
        "plan": had_plan,
    }


def print_document(document: dict[str, Any]) -> None:
    """Write one JSON document to standard output."""
    sys.stdout.write(json.dumps(document) + "\n")


def signal_process(facts: ProcessFacts, signum: int) -> None:
    """Signal exactly this process: by descriptor where there is one, after its start time was compared."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not hasattr(os, "pidfd_open"):
            if _is_same(facts):
                os.kill(facts.pid, signum)
            return
        descriptor = os.pidfd_open(facts.pid)
        try:
            if _is_same(facts):
                signal.pidfd_send_signal(descriptor, signum)
        finally:
            os.close(descriptor)


def _kill_frozen(leftovers: dict[int, ProcessFacts]) -> dict[int, ProcessFacts]:
    """Kill what is paused, and let it go on to die; which these were.

    The others have their turn later: Podman never removes a container that it knows as paused and that ended
    while nobody was there to write that down.
    """
    frozen = {pid: facts for pid, facts in leftovers.items() if is_frozen(pid)}
    for facts in frozen.values():
        signal_process(facts, signal.SIGKILL)
    return {pid: facts for pid, facts in frozen.items() if let_die(pid)}


def _parents_of(
    freed: dict[int, ProcessFacts], leftovers: dict[int, ProcessFacts]
) -> dict[int, ProcessFacts]:
    """Who waits for the end of what was freed, and ends by itself then."""
    parents = {facts.parent for facts in freed.values()} - freed.keys()
    return {pid: facts for pid, facts in leftovers.items() if pid in parents} or freed


def _is_same(facts: ProcessFacts) -> bool:
    present = read_process(facts.pid)
    return present is not None and present.started == facts.started


def _wait_for_one(leftovers: dict[int, ProcessFacts], deadline: float) -> None:
    """Return when one of them has ended, or in time for another look."""
    left = max(0.0, min(deadline - time.monotonic(), END_SECONDS))
    if not hasattr(os, "pidfd_open"):
        time.sleep(min(left, _POLL_SECONDS))
        return
    descriptors = []
    try:
        for pid in leftovers:
            with contextlib.suppress(ProcessLookupError):
                descriptors.append(os.pidfd_open(pid))
        if len(descriptors) == len(leftovers):
            select.select(descriptors, [], [], left)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
