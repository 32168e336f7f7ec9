"""What engines and probes report: facts about instances, before they are folded into a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from prismctl.domain.plan import Port
    from prismctl.domain.rates import Traffic
    from prismctl.domain.service import ServiceName

_HOPELESS: Final = " can never be ready"


class InstanceKey(NamedTuple):
    """One replica of one service."""

    service: ServiceName
    replica: int
    """Counted from 0."""

    def __str__(self) -> str:
        """``redis#0``; also its name with the keeper."""
        return f"{self.service}#{self.replica}"


class Phase(StrEnum):
    """Where an instance is, as its engine sees it; whether it answers is the probes' business."""

    WAITING = "waiting"
    """For its dependencies, or for a place to run."""
    RUNNING = "running"
    BACKOFF = "backoff"
    """It ended, and will be started again."""
    FAILED = "failed"
    """It ended or could not start, and is not tried again."""
    COMPLETED = "completed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceObservation:
    """An engine's word on one instance; a newer one replaces an older one."""

    key: InstanceKey
    phase: Phase
    pid: int | None = None
    """Of the service's own process (not of a shim or helper), where it is on this machine."""
    start_ticks: int | None = None
    """Names the process together with the PID (Linux)."""
    started_at: float | None = None
    """When the present run began, in seconds since the epoch."""
    restarts: int = 0
    exit_code: int | None = None
    exit_signal: int | None = None
    explanation: str = ""
    """Why its last run ended, in words, where code and signal do not say it."""
    obstacle: str = ""
    """What was in the way of its last run, in one line with the way out, where that is known."""
    exited_at: float | None = None
    next_start_at: float | None = None
    """When it is started again, in ``BACKOFF``; seconds since the epoch."""
    message: str = ""
    """Why it is in this phase, in one line, where the engine knows: what it waits for, why it could not start."""
    ports: tuple[Port, ...] = ()
    """Where this instance listens, when that differs from the plan (replicas beyond the first)."""
    run: str = ""
    """Changes with every run of the instance (PID and start time, allocation and restart count)."""

    @property
    def has_begun(self) -> bool:
        """Whether a process of it runs or has run since it was last told to wait."""
        has_ended = self.exit_code is not None or self.exit_signal is not None
        return self.pid is not None or has_ended or self.phase is Phase.COMPLETED

    @property
    def ending(self) -> str:
        """How its last run ended, in words."""
        return self.obstacle or self.explanation or describe_exit(self.exit_code, self.exit_signal)


class ComponentState(StrEnum):
    """Where an agent of the engine is."""

    STARTING = "starting"
    READY = "ready"
    SUSPENDED = "suspended"
    """Its process is held by a signal: it neither answers nor ends."""
    LOST = "lost"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentObservation:
    """An engine's word on one of its own agents (consul, nomad)."""

    name: str
    state: ComponentState
    pid: int | None = None
    message: str = ""
    seconds: float | None = None
    """How long it took to get ready."""
    is_anew: bool = False
    """It is back after it was lost, and started everything anew that it had run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The answer to one question to one instance."""

    key: InstanceKey
    run: str
    """Which run of the instance was asked; an answer about an earlier run says nothing."""
    is_ok: bool
    at: float
    message: str = ""
    """Why not, in one line, when it is not ok."""
    consecutive_failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSample:
    """What one instance with all its children uses."""

    key: InstanceKey
    at: float = field(compare=False)
    memory_bytes: int | None
    """``None``: it could not be measured."""
    cpu_percent: float | None
    """Of one core, since the sample before; ``None`` where there is none of the same process."""
    is_suspended: bool = False
    """Its main process is stopped by a signal (SIGSTOP, a debugger)."""
    hold: str = ""
    """What else holds it and what lets it go on, in one line; empty: nothing."""
    death: str = ""
    """That its main process is dead although nobody has reported it, in one line; empty otherwise."""


Observation = InstanceObservation | ComponentObservation


_SIGNAL_CODES: Final = 128


def describe_exit(exit_code: int | None, exit_signal: int | None) -> str:
    """How a process ended, in words: ``exited with code 1``, ``was killed by SIGKILL``."""
    if exit_signal is not None:
        return f"was killed by {SIGNAL_NAMES.get(exit_signal, f'signal {exit_signal}')}"
    if exit_code is None:
        return "ended"
    # What shells, Java and containers say of a process that a signal has ended.
    meaning = SIGNAL_NAMES.get(exit_code - _SIGNAL_CODES, "")
    return f"exited with code {exit_code}" + (f" ({meaning})" if meaning else "")


def describe_hopeless(*names: str, reason: str = "") -> str:
    """Why something that needs these services cannot start, in words: ``a can never be ready: exited with code 1``."""
    return f"{', '.join(names)}{_HOPELESS}{f': {reason}' if reason else ''}"


def is_about_hopeless(message: str) -> bool:
    """Whether a message says that something else can never be ready."""
    return message.endswith(_HOPELESS) or f"{_HOPELESS}: " in message


SIGNAL_NAMES = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldView:
    """Everything known at one moment: the input of the fold."""

    instances: dict[InstanceKey, InstanceObservation] = field(default_factory=dict)
    components: dict[str, ComponentObservation] = field(default_factory=dict)
    probes: dict[InstanceKey, ProbeResult] = field(default_factory=dict)
    suspended_components: set[str] = field(default_factory=set)
    """Those whose process was held when it was last looked at; an engine cannot see that of its own agents."""
    usage: dict[InstanceKey, UsageSample] = field(default_factory=dict)
    traffic: dict[ServiceName, Traffic] = field(default_factory=dict)
    """What goes through the services that tell it."""
    healthy_since: dict[InstanceKey, float] = field(default_factory=dict)
    """When the present run of an instance first answered."""
