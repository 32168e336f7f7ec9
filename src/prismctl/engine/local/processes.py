"""From a plan to what the keeper is asked to run, and from what it says to observations; pure but for ports."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.domain.observation import InstanceKey, InstanceObservation, Phase
from prismctl.domain.service import Runtime, ServiceName
from prismctl.keeper.protocol import (
    ProcessSpec,
    ProcessState,
    ProcessStatus,
    RestartPolicy,
    StopStep,
)
from prismctl.runtime.command import render_command
from prismctl.runtime.refusal import EXIT_REFUSED, has_guard

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.files.paths import StackPaths

_PHASES: Final = {
    ProcessState.RUNNING: Phase.RUNNING,
    ProcessState.BACKOFF: Phase.BACKOFF,
    ProcessState.STOPPING: Phase.STOPPING,
    ProcessState.STOPPED: Phase.STOPPED,
    ProcessState.COMPLETED: Phase.COMPLETED,
    ProcessState.FAILED: Phase.FAILED,
}

ONE_SHOT_POLICY: Final = RestartPolicy(max_restarts=0)
"""What is to be done once is not done again when it goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedProcess:
    """One instance of the plan, ready to be handed to the keeper."""

    service: ServicePlan
    """With this instance's own ports."""
    spec: ProcessSpec
    data_directory: Path
    ports: tuple[Port, ...]


def render_process(
    service: ServicePlan, key: InstanceKey, plan: StackPlan, paths: StackPaths
) -> WantedProcess:
    """What the keeper runs for one instance.

    Raises:
        PrismError: its program is not there.
    """
    command = render_command(service, key.replica, plan, paths)
    grace = service.stop_grace_seconds
    # The client of a container passes signals on by itself.
    whole_tree = service.runtime is not Runtime.CONTAINER
    spec = ProcessSpec(
        key=str(key),
        argv=command.argv,
        env=command.env,
        cwd=command.cwd,
        log_path=str(paths.log(str(key))),
        digest=service.digest,
        restart=_choose_policy(service),
        stop=(
            StopStep(signal=signal.SIGINT, grace_seconds=grace, whole_tree=whole_tree),
            StopStep(
                signal=signal.SIGTERM, grace_seconds=service.end_seconds, whole_tree=whole_tree
            ),
        ),
        one_shot=service.one_shot,
    )
    return WantedProcess(
        service=service, spec=spec, data_directory=command.data_directory, ports=command.ports
    )


def _choose_policy(service: ServicePlan) -> RestartPolicy:
    if service.one_shot:
        return ONE_SHOT_POLICY
    return RestartPolicy(final_exit_code=EXIT_REFUSED if has_guard(service) else 0)


def parse_key(text: str) -> InstanceKey | None:
    """The instance a process of the keeper is; ``None`` for an agent."""
    service, hash_mark, replica = text.rpartition("#")
    if not hash_mark or not replica.isdigit():
        return None
    return InstanceKey(ServiceName(service), int(replica))


def decode_status(
    status: ProcessStatus, key: InstanceKey, ports: tuple[Port, ...] = ()
) -> InstanceObservation:
    """The keeper's word on a process as an engine's word on an instance."""
    return InstanceObservation(
        key=key,
        phase=_PHASES[status.state],
        pid=status.pid,
        start_ticks=status.start_ticks,
        started_at=status.started_at,
        restarts=status.restarts,
        exit_code=status.exit_code,
        exit_signal=status.exit_signal,
        exited_at=status.exited_at,
        next_start_at=status.next_start_at,
        message=status.error,
        ports=ports,
        run=f"{status.pid}:{status.start_ticks or status.started_at}" if status.pid else "",
    )


def is_as_wanted(status: ProcessStatus | None, wanted: ProcessSpec) -> bool:
    """Whether nothing has to be done: it runs, comes back by itself, or did what it had to, by this definition."""
    if status is None or status.digest != wanted.digest:
        return False
    return status.state in {ProcessState.RUNNING, ProcessState.BACKOFF, ProcessState.COMPLETED}


def is_alive(status: ProcessStatus) -> bool:
    """Whether there is something to stop."""
    return status.state in {ProcessState.RUNNING, ProcessState.BACKOFF, ProcessState.STOPPING}
