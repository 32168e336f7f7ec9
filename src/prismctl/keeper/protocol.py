"""The keeper's language: what it can be asked to run, what it answers, and how it is written down.

One JSON object a line, both ways, over the unix socket ``run/STACK/keeper.sock`` (0600). A request has an
``id`` and gets exactly one reply with the same ``id``; after ``watch`` the connection also carries events.

    request                                              reply
    {"id": 1, "do": "hello", "protocol": 1,              {"id": 1, "ok": true, "pid": 41, "keeper": "<uuid>",
     "daemon": {"pid": 7, "argv": [...], "env": {...}}}   "processes": [ProcessStatus...]}
    {"id": 2, "do": "spawn", "process": ProcessSpec}     {"id": 2, "ok": true, "status": ProcessStatus}
    {"id": 3, "do": "stop", "key": "redis#0"}            {"id": 3, "ok": true, "status": ...} once it is gone
    {"id": 4, "do": "restart", "key": "redis#0"}         {"id": 4, "ok": true, "status": ...} once it runs again
    {"id": 5, "do": "signal", "key": ..., "signal": 1}   {"id": 5, "ok": true}
    {"id": 6, "do": "list"}                              {"id": 6, "ok": true, "processes": [...]}
    {"id": 7, "do": "watch"}                             {"id": 7, "ok": true, "processes": [...]}, then events
    {"id": 8, "do": "forget", "key": "redis#0"}          {"id": 8, "ok": true}: an ended process is dropped
    {"id": 9, "do": "shutdown", "kill": false}           {"id": 9, "ok": true} once nothing is left; it then exits

    refusal  {"id": N, "ok": false, "error": "one line"}
    event    {"event": "started|exited|backoff|failed|completed|stopping|stopped|log-lost",
              "status": ProcessStatus, "time": 1764000000.123}

``hello`` with ``daemon`` tells the keeper which daemon to start again when that connection ends without a
``shutdown`` or ``goodbye`` before it. ``watch`` answers with the present state and registers the watcher in
one step, so that nothing falls between.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

PROTOCOL_VERSION: Final = 1

KEEPER_ID_VARIABLE: Final = "PRISM_KEEPER"
"""In the environment of everything a keeper starts: its identity, by which the sweep recognises leftovers."""
PROCESS_KEY_VARIABLE: Final = "PRISM_PROCESS"
"""In the environment of everything a keeper starts: which process of it, so that escapees can be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """When a process that ended is started again, and when that is given up.

    The n-th restart in a row waits ``initial_delay_seconds * 2**(n - 2)`` (the first one not at all), at most
    ``max_delay_seconds``. A run of ``reset_after_seconds`` or longer clears the count.
    """

    max_restarts: int = 5
    """Restarts in a row before the process counts as failed; 0: never started again."""
    initial_delay_seconds: float = 0.25
    max_delay_seconds: float = 10.0
    reset_after_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """One stage of a graded stop: the signal for the whole process group, and how long it has."""

    signal: int
    grace_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to keep running: the command, its surroundings, and how it is restarted and stopped."""

    key: str
    """Names it among the keeper's processes: ``service#index``, or an agent's name."""
    argv: tuple[str, ...]
    env: dict[str, str]
    """The whole environment; nothing is inherited. The keeper adds only its two marks."""
    cwd: str
    log_path: str
    """Where its output goes, in the format of ``keeper/logs.py``; rotated beside it."""
    digest: str = ""
    """Says which definition this came from; a caller compares it to see whether what runs is what it wants."""
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    stop: tuple[StopStep, ...] = (
        StopStep(signal=2, grace_seconds=3.0),
        StopStep(signal=15, grace_seconds=3.0),
    )
    """Tried in order; SIGKILL for whatever is left always follows."""
    one_shot: bool = False
    """Exit code 0 means completed; it is not started again."""
    parent_death_signal: int = 9
    """What it gets when the keeper dies (Linux)."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
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
    """How often it was started again since it was spawned."""
    exit_code: int | None = None
    """Of the last run that ended by itself."""
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
    return asdict(spec)


def spec_from_json(data: dict[str, Any]) -> ProcessSpec:
    """The spec a wire form stands for; unknown fields are ignored, so that versions can differ."""
    known = {name: data[name] for name in ProcessSpec.__dataclass_fields__ if name in data}
    known["argv"] = tuple(known["argv"])
    if "restart" in known:
        known["restart"] = RestartPolicy(**known["restart"])
    if "stop" in known:
        known["stop"] = tuple(StopStep(**step) for step in known["stop"])
    return ProcessSpec(**known)


def status_to_json(status: ProcessStatus) -> dict[str, Any]:
    """The wire form of a status."""
    return asdict(status)


def status_from_json(data: dict[str, Any]) -> ProcessStatus:
    """The status a wire form stands for; unknown fields are ignored."""
    known = {name: data[name] for name in ProcessStatus.__dataclass_fields__ if name in data}
    return replace(ProcessStatus(**known), state=ProcessState(known["state"]))
