"""What is asked of an instance: a check with everything in it decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.service import CheckType


class NotReadyError(Exception):
    """The instance did not answer as it should; the text says what came instead, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How one instance is asked during one run."""

    key: InstanceKey
    run: str
    """Answers carry it, so that one about an earlier run is recognised."""
    type: CheckType | None
    """``None``: nothing can be asked; to be alive after ``min_uptime_seconds`` is enough."""
    host: str = "127.0.0.1"
    port: int = 0
    path: str = "/"
    command: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    """For exec: the whole environment."""
    directory: str = "/"
    """For exec: where the command runs."""
    pattern: str = ""
    log: Path | None = None
    """For log: where the output goes."""
    started_at: float = 0.0
    """When the run began, in seconds since the epoch."""
    min_uptime_seconds: float = 0.1
    pid: int | None = None
    """Of its process, where that is on this machine."""
    start_ticks: int | None = None
    """Names the process together with the PID (Linux)."""
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    start_period_seconds: float = 30.0
