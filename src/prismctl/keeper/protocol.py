"""The keeper's language: what it can be asked to run, what it answers, and how it is written down.

One JSON object a line, both ways, over the unix socket ``run/STACK/keeper.sock`` (0600). A request has an
``id`` and gets exactly one reply with the same ``id``; after ``watch`` the connection also carries events.

    request                                              reply
    {"id": 1, "do": "hello", "protocol": 1,              {"id": 1, "ok": true, "pid": 41, "keeper": "<uuid>",
     "daemon": {"pid": 7, "argv": [...], "env": {...},    "protocol": 1, "processes": [ProcessStatus...]}
                "cwd": "...", "log_path": "..."}}
    {"id": 2, "do": "spawn", "process": ProcessSpec}     {"id": 2, "ok": true, "status": ...} once it is executed
    {"id": 3, "do": "stop", "key": "redis#0",            {"id": 3, "ok": true, "status": ...} once it is gone
     "kill": false}
    {"id": 4, "do": "restart", "key": "redis#0"}         {"id": 4, "ok": true, "status": ...} once it runs again
    {"id": 5, "do": "signal", "key": ..., "signal": 1}   {"id": 5, "ok": true}: the main process only
    {"id": 6, "do": "list"}                              {"id": 6, "ok": true, "processes": [...]}
    {"id": 7, "do": "watch"}                             {"id": 7, "ok": true, "processes": [...]}, then events
    {"id": 8, "do": "forget", "key": "redis#0"}          {"id": 8, "ok": true}: an ended process is dropped
    {"id": 9, "do": "shutdown", "kill": false}           {"id": 9, "ok": true} once nothing is left; it then exits
    {"id": 10, "do": "goodbye"}                          {"id": 10, "ok": true}

    refusal  {"id": N, "ok": false, "error": "one line"}
    event    {"event": KeeperEvent, "status": ProcessStatus, "time": 1764000000.123}

A program that cannot be executed is no refusal: the reply's status says ``failed`` and why in ``error``.
``stop`` of something that has ended already answers at once; a second ``stop`` with ``kill`` skips the graces
that are left. ``hello`` with ``daemon`` tells the keeper which daemon to start again when that connection
ends without a ``shutdown`` or ``goodbye`` before it. ``watch`` answers with the present state and registers
the watcher in one step, so that nothing falls between; a watcher that does not read is disconnected. Lines
are limited to ``MAX_LINE_BYTES``; unknown fields are ignored, so that versions can differ.

The values are named tuples because the keeper must start in a few hundredths of a second, and what
``dataclasses`` imports takes as long as all the rest of it together.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Any, Final, NamedTuple

PROTOCOL_VERSION: Final = 1

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
"""The longest request or reply; a connection that sends more is ended."""

KEEPER_ID_VARIABLE: Final = "PRISM_KEEPER"
"""In the environment of everything a keeper starts: its identity, by which the sweep recognises leftovers."""
PROCESS_KEY_VARIABLE: Final = "PRISM_PROCESS"
"""In the environment of everything a keeper starts: which process of it, so that escapees can be told apart."""


class RestartPolicy(NamedTuple):
    """When a process that ended is started again, and when that is given up.

    The n-th restart in a row waits ``initial_delay_seconds * 2**(n - 2)`` (the first one not at all), at most
    ``max_delay_seconds``. A run of ``reset_after_seconds`` or longer clears the count.
    """

    max_restarts: int = 5
    """Restarts in a row before the process counts as failed; 0: never started again."""
    initial_delay_seconds: float = 0.25
    max_delay_seconds: float = 10.0
    reset_after_seconds: float = 10.0
    final_exit_code: int = 0
    """An exit code after which there is no other try, because it would end the same; 0: there is none."""


class StopStep(NamedTuple):
    """One stage of a graded stop: the signal, and how long the process has to end after it."""

    signal: int
    grace_seconds: float
    whole_tree: bool = True
    """Descendants in other process groups get the signal too; False for a program that passes it on by
    itself (``podman run``, a Nomad agent). What runs in a PID namespace of its own never gets it: a
    container's client passes it on. The SIGKILL at the end spares nobody."""


class ProcessSpec(NamedTuple):
    """One process to keep running: the command, its surroundings, and how it is restarted and stopped."""

    key: str
    """Names it among the keeper's processes: ``service#index``, or an agent's name."""
    argv: tuple[str, ...]
    """A program without a slash is looked for in the ``PATH`` of ``env``."""
    env: dict[str, str]
    """The whole environment; nothing is inherited. The keeper adds only its two marks."""
    cwd: str
    log_path: str
    """Where its output goes, in the format of ``keeper/logs.py``; rotated beside it."""
    digest: str = ""
    """Says which definition this came from; a caller compares it to see whether what runs is what it wants."""
    restart: RestartPolicy = RestartPolicy()
    stop: tuple[StopStep, ...] = (
        StopStep(signal=2, grace_seconds=3.0),
        StopStep(signal=15, grace_seconds=3.0),
    )
    """Tried in order; SIGKILL for whatever is left always follows."""
    one_shot: bool = False
    """Exit code 0 means completed; it is not started again."""
    parent_death_signal: int = 9
    """What it gets when the keeper dies (Linux; 0: nothing)."""
    max_log_bytes: int = 16 * 1024 * 1024
    """A log file is rotated at this size."""
    max_log_files: int = 4
    """How many files are kept, the current one included."""


class ProcessState(StrEnum):
    """Where a kept process is in its life."""

    RUNNING = "running"
    BACKOFF = "backoff"
    """Ended; waiting to be started again."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Ended because it was asked to."""
    COMPLETED = "completed"
    """A one-shot that ended with exit code 0."""
    FAILED = "failed"
    """Ended, and not started again."""


class KeeperEvent(StrEnum):
    """What a watcher is told; the status that comes with it is the one after the change."""

    PRESENT = "present"
    """Not on the wire: what the client yields for each process that was there when the watch began."""
    STARTED = "started"
    EXITED = "exited"
    """The main process ended by itself; what follows from that comes as the next event."""
    BACKOFF = "backoff"
    FAILED = "failed"
    COMPLETED = "completed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LOG_LOST = "log-lost"
    """Output could not be written; sent once until writing works again."""


class ProcessStatus(NamedTuple):
    """What the keeper knows of one process."""

    key: str
    state: ProcessState
    digest: str = ""
    pid: int | None = None
    """The running main process; ``None`` while there is none."""
    start_ticks: int | None = None
    """Its start time in clock ticks since boot (/proc/PID/stat field 22): with the PID it names one process for ever."""
    started_at: float | None = None
    """When the present (or last) run began, in seconds since the epoch."""
    restarts: int = 0
    """How often it was started again by itself since it was spawned, or since somebody asked for a restart."""
    exit_code: int | None = None
    """Of the last run that ended, when it was not a signal that ended it."""
    exit_signal: int | None = None
    """The signal that ended the last run, when one did."""
    exited_at: float | None = None
    next_start_at: float | None = None
    """When the next attempt is due, in ``BACKOFF``."""
    error: str = ""
    """Why it could not even be started (no such file, not executable, no memory)."""
    lost_log_lines: int = 0
    """Lines that could not be written (disk full)."""


def spec_to_json(spec: ProcessSpec) -> dict[str, Any]:
    """The wire form of a spec."""
    return {
        **spec._asdict(),
        "restart": spec.restart._asdict(),
        "stop": [step._asdict() for step in spec.stop],
    }


def spec_from_json(data: object) -> ProcessSpec:
    """The spec a wire form stands for.

    Raises:
        ValueError: a field is missing or says something impossible; the text is one line.
    """
    known = _known_fields(data, ProcessSpec, "process")
    missing = [name for name in ("key", "argv", "env", "cwd", "log_path") if name not in known]
    if missing:
        raise ValueError(f"process lacks {', '.join(missing)}")
    argv, env, steps = known["argv"], known["env"], known.get("stop")
    if not isinstance(argv, list) or not argv or not all(_is_text(word) for word in argv):
        raise ValueError("process.argv is not a list of words")
    if not isinstance(env, dict) or not all(_is_text(value) for value in env.values()):
        raise ValueError("process.env is not an object of strings")
    if not all(_is_text(name) and name and "=" not in name for name in env):
        raise ValueError("process.env has an impossible name")
    known["argv"] = tuple(argv)
    if "restart" in known:
        known["restart"] = RestartPolicy(
            **_known_fields(known["restart"], RestartPolicy, "process.restart")
        )
    if steps is not None:
        if not isinstance(steps, list):
            raise ValueError("process.stop is not a list")
        fields = [_known_fields(step, StopStep, "process.stop") for step in steps]
        if any("signal" not in step or "grace_seconds" not in step for step in fields):
            raise ValueError("process.stop has a step without signal or grace_seconds")
        known["stop"] = tuple(StopStep(**step) for step in fields)
    if not known["key"] or not argv[0] or not known["cwd"] or not known["log_path"]:
        raise ValueError("process has an empty key, program, cwd or log_path")
    return ProcessSpec(**known)


def status_to_json(status: ProcessStatus) -> dict[str, Any]:
    """The wire form of a status."""
    return status._asdict()


def status_from_json(data: dict[str, Any]) -> ProcessStatus:
    """The status a wire form stands for; unknown fields are ignored."""
    known = {name: data[name] for name in ProcessStatus._fields if name in data}
    known["state"] = ProcessState(known["state"])
    return ProcessStatus(**known)


_TEXTS: Final = frozenset({"key", "cwd", "log_path", "digest"})
_FLAGS: Final = frozenset({"one_shot", "whole_tree"})
_COUNTS: Final = {
    "max_restarts": (0, 1_000_000),
    "final_exit_code": (0, 255),
    "signal": (1, 64),
    "parent_death_signal": (0, 64),
    "max_log_bytes": (1, 1 << 50),
    "max_log_files": (1, 1000),
}
_SECONDS: Final = frozenset(
    {"initial_delay_seconds", "max_delay_seconds", "reset_after_seconds", "grace_seconds"}
)
_MAX_SECONDS: Final = 1e6


def _known_fields(data: object, kind: type[Any], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is not an object")  # noqa: TRY004 - a wire form that is wrong, not a caller
    known = {name: data[name] for name in kind._fields if name in data}
    for name, value in known.items():
        if name in _TEXTS:
            is_good = _is_text(value)
        elif name in _FLAGS:
            is_good = isinstance(value, bool)
        elif name in _COUNTS:
            low, high = _COUNTS[name]
            is_good = type(value) is int and low <= value <= high
        elif name in _SECONDS:
            is_good = type(value) in (int, float) and 0 <= value <= _MAX_SECONDS
        else:
            is_good = True
        if not is_good:
            raise ValueError(f"{where}.{name} is not possible: {value!r:.80}")
    return known


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair: JSON can say it, no program can be given it.
        return False
    return True
