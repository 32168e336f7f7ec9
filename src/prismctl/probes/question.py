"""What is asked of an instance: a check with everything in it decided."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.service import CheckType


HIDDEN: Final = "•••"
"""Stands where a secret stood."""


class NotReadyError(Exception):
    """The instance did not answer as it should; the text says what came instead, in one line."""


def hide_secrets(text: str, secrets: frozenset[str]) -> str:
    """The text with everything secret blotted out; of a secret of several lines, each line is one."""
    lines = {line.strip() for secret in secrets for line in secret.splitlines()} - {""}
    # The longest first, so that nothing is left of one that contains another.
    for line in sorted(lines, key=lambda line: (-len(line), line)):
        text = text.replace(line, HIDDEN)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How one instance is asked during one run."""

    key: InstanceKey
    run: str
    """Answers carry it, so that one about an earlier run is recognised."""
    type: CheckType | None
    """``None``: nothing can be asked; to have taken ``udp_ports``, or to be alive after ``min_uptime_seconds``, is enough."""
    udp_ports: tuple[int, ...] = ()
    """Without a check: what the process takes datagrams at once it is ready."""
    host: str = "127.0.0.1"
    port: int = 0
    path: str = "/"
    command: tuple[str, ...] = ()
    program: str = ""
    """For exec: what the command is called where it goes wrong; empty: its first word."""
    env: dict[str, str] = field(default_factory=dict)
    """For exec: the whole environment."""
    directory: str = "/"
    """For exec: where the command runs."""
    user: str = ""
    password: str = field(default="", repr=False)
    """For redis, postgres and nats: who asks; empty where nobody is known."""
    is_elsewhere: bool = False
    """Nobody here runs it: whoever answers is who was meant."""
    database: str = ""
    """For postgres: the one that clients are sent to, which has to be there; empty: the one that every server has."""
    jetstream: bool = False
    """For nats: JetStream has to answer, too."""
    pattern: str = ""
    log: Path | None = None
    """For log: where the output goes."""
    secrets: frozenset[str] = frozenset()
    """Texts that stand in no answer, whatever a command or a server says."""
    started_at: float = 0.0
    """When the run began, in seconds since the epoch."""
    min_uptime_seconds: float = 0.1
    pid: int | None = None
    """Of its process, where that is on this machine."""
    start_ticks: int | None = None
    """Names the process together with the PID (Linux)."""
    pid_file: Path | None = None
    """For a container: has the number of the process inside, once there is one."""
    mark: str = ""
    """How an environment says that its process was started by the same keeper, ``NAME=VALUE``."""
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    start_period_seconds: float = 30.0
