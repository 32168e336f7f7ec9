"""Which processes there are, who descends from whom, and signals that cannot hit a stranger.

Linux answers through /proc. Elsewhere nothing here finds anything, and the keeper falls back to process
groups: what leaves its group there can escape.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HAS_PROC: Final = os.path.exists("/proc/self/stat")
"""Whether processes can be looked at here."""

_STATE, _PARENT, _GROUP, _SESSION, _START_TICKS = 0, 1, 2, 3, 19
_GONE: Final = (b"Z", b"X")


class ProcessFacts(NamedTuple):
    """One process as /proc/PID/stat tells it."""

    pid: int
    parent: int
    group: int
    session: int
    start_ticks: int
    """With ``pid`` it names one process for ever."""
    is_gone: bool
    """Ended; nobody has asked how yet."""


def read_facts(pid: int) -> ProcessFacts | None:
    """One process; ``None`` when there is none by that number."""
    data = _read(f"/proc/{pid}/stat")
    if not data:
        return None
    # The command's name stands in parentheses and may contain anything, parentheses included.
    fields = data[data.rindex(b")") + 2 :].split(None, _START_TICKS + 1)
    return ProcessFacts(
        pid,
        int(fields[_PARENT]),
        int(fields[_GROUP]),
        int(fields[_SESSION]),
        int(fields[_START_TICKS]),
        fields[_STATE] in _GONE,
    )


def read_all() -> dict[int, ProcessFacts]:
    """Every process there is, by PID."""
    if not HAS_PROC:
        return {}
    found = (read_facts(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {facts.pid: facts for facts in found if facts is not None}


def read_children(pid: int) -> list[int]:
    """The direct children of a single-threaded process, ended ones included."""
    if not HAS_PROC:
        return []
    data = _read(f"/proc/{pid}/task/{pid}/children")
    if data is not None:
        return [int(word) for word in data.split()]
    # A kernel without that file.
    return [facts.pid for facts in read_all().values() if facts.parent == pid]


def find_descendants(
    processes: Mapping[int, ProcessFacts], roots: Iterable[int]
) -> list[ProcessFacts]:
    """The living among the roots and all that descend from them, parents first."""
    children: dict[int, list[ProcessFacts]] = {}
    for facts in processes.values():
        children.setdefault(facts.parent, []).append(facts)
    waiting = [processes[pid] for pid in roots if pid in processes]
    found = {facts.pid: facts for facts in waiting}
    while waiting:
        for child in children.get(waiting.pop().pid, ()):
            if child.pid not in found:
                found[child.pid] = child
                waiting.append(child)
    return [facts for facts in found.values() if not facts.is_gone]


def read_environment(pid: int) -> dict[bytes, bytes]:
    """The environment a process was started with; empty when it cannot be read."""
    pairs = (entry.partition(b"=") for entry in (_read(f"/proc/{pid}/environ") or b"").split(b"\0"))
    return {name: value for name, _, value in pairs}


def is_contained(pid: int) -> bool:
    """Whether it lives in a PID namespace of its own, so that its signals are a container client's affair."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
    except PermissionError:
        # Of our own children only those in another user namespace refuse to be looked at.
        return True
    except OSError:
        return False


def signal_process(pid: int, start_ticks: int, signum: int) -> bool:
    """Signal exactly the process that started then; False when it is no longer there."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):
        return _look_and_signal(pid, start_ticks, signum)
    try:
        # From here on the descriptor means one process; the question is only whether it is the right one.
        if not _is_same(pid, start_ticks):
            return False
        signal.pidfd_send_signal(descriptor, signum)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def _look_and_signal(pid: int, start_ticks: int, signum: int) -> bool:
    """What is left where neither system nor kernel can hold on to a process."""
    if _is_same(pid, start_ticks):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
            return True
    return False


def describe(pid: int) -> str:
    """``PID (name, state D)``, for a message about a process that does not end."""
    data = _read(f"/proc/{pid}/stat") or b""
    name = data[data.find(b"(") + 1 : data.rfind(b")")].decode(errors="replace")
    state = data[data.rfind(b")") + 2 :][:1].decode(errors="replace")
    return f"{pid} ({name}, state {state})" if data else str(pid)


def _is_same(pid: int, start_ticks: int) -> bool:
    facts = read_facts(pid)
    return facts is not None and facts.start_ticks == start_ticks


def _read(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)
