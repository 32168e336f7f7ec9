"""What was in the way of a service that ended: said in its place, because its exit code does not tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.daemon.disk_room import describe_full_disk
from prismctl.daemon.process_table import read_marks
from prismctl.domain.addressing import describe_holder
from prismctl.domain.observation import Phase
from prismctl.machine import is_address_free, who_holds
from prismctl.runtime.refusal import EXIT_REFUSED, has_guard, read_refusal

if TYPE_CHECKING:
    from prismctl.domain.observation import InstanceObservation
    from prismctl.domain.plan import Port, ServicePlan
    from prismctl.files.paths import StackPaths

_DOWN: Final = frozenset({Phase.BACKOFF, Phase.FAILED})


def find_obstacle(
    seen: InstanceObservation,
    before: InstanceObservation | None,
    service: ServicePlan,
    paths: StackPaths,
) -> InstanceObservation:
    """The observation with what was in the way, where it is down because of something that can be named.

    What was found out when it ended stays true of that end: it is not looked for again.
    """
    if seen.phase not in _DOWN or seen.obstacle or not seen.exit_code:
        return seen
    if before is not None and before.phase in _DOWN and before.exited_at == seen.exited_at:
        known = before.obstacle
    elif seen.exit_code == EXIT_REFUSED and has_guard(service):
        # A disk that is full has no room for the sentence that says so.
        known = read_refusal(paths.data_of(*seen.key)) or describe_full_disk(paths.data)
    else:
        known = _find_port_holder(seen.ports or service.ports, paths)
    return replace(seen, obstacle=known)


def _find_port_holder(ports: tuple[Port, ...], paths: StackPaths) -> str:
    """Which of the ports somebody else has; empty: none, as far as can be seen."""
    for port in ports:
        if is_address_free(port.host, *port.host_port):
            continue
        holder = who_holds(*port.host_port)
        # On a busy machine, its next run may be there before this one's end is heard of.
        if holder is None or (
            holder.pid is not None and read_marks(holder.pid)[0] == paths.keeper_id
        ):
            continue
        return f"port {port.host_port} is in use by {describe_holder(holder)}"
    return ""
