"""Ending the process that has ports: the very one that was shown, never one that got its number since."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prismctl.machine import is_port_free, who_holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prismctl.domain.addressing import PortHolder
    from prismctl.domain.host_port import HostPort

GRACE_SECONDS: Final = 5.0
"""How long is waited for ports to be free after their holder was sent a signal."""
_HANDOVER_SECONDS: Final = 0.5
"""How long a port may stay taken after its holder has ended: what the holder had started may end with it."""
_LOOK_SECONDS: Final = 0.02
"""Nothing tells when a port is free: it is looked at so often."""
_CLOCK_STEP_SECONDS: Final = 2.0
"""By how much the start of one process may seem to move: it is counted from a boot time that is adjusted."""


class Ending(StrEnum):
    """What came of ending a holder."""

    FREE = "free"
    """The ports are free."""
    STAYS = "stays"
    """The process was sent the signal and is still there."""
    CHANGED = "changed"
    """What is not free is somebody else's by now."""
    FORBIDDEN = "forbidden"
    """The process may not be ended by this user."""


def end_holder(ports: Sequence[HostPort], holder: PortHolder, *, kills: bool = False) -> Ending:
    """End the process that has some ports, and wait for all of them to be free, at most `GRACE_SECONDS`.

    Args:
        ports: what it has; at least one.
        holder: as it was shown to the one who decided; with a PID.
        kills: without giving it time to clean up.
    """
    pid = holder.pid
    if pid is None:
        raise ValueError("a holder without a PID cannot be ended")
    with _process_descriptor(pid) as descriptor:
        # Looked at after the descriptor was opened: what is seen now is what the descriptor stands for.
        if not _has_any(holder, ports):
            return Ending.CHANGED if taken_of(ports) else Ending.FREE
        try:
            _send(pid, descriptor, signal.SIGKILL if kills else signal.SIGTERM)
        except PermissionError:
            return Ending.FORBIDDEN
        except ProcessLookupError:
            pass
        else:
            # A suspended process gets to see that it shall end only when it goes on.
            with contextlib.suppress(ProcessLookupError):
                _send(pid, descriptor, signal.SIGCONT)
        return _wait_for_ports(ports, holder, descriptor)


def taken_of(ports: Sequence[HostPort]) -> list[HostPort]:
    """Those ports on which nobody else could listen now."""
    return [port for port in ports if not is_port_free(*port)]


def _has_any(holder: PortHolder, ports: Sequence[HostPort]) -> bool:
    return any(is_same_holder(holder, who_holds(*port)) for port in ports)


def is_same_holder(shown: PortHolder, found: PortHolder | None) -> bool:
    """Whether the process that was found is the one that was shown, not just one with its number."""
    if found is None or (found.pid, found.user) != (shown.pid, shown.user):
        return False
    if found.since is None or shown.since is None:
        return found.since == shown.since and found.command == shown.command
    return abs(found.since - shown.since) <= _CLOCK_STEP_SECONDS


def is_protected(pid: int) -> bool:
    """Whether a process must not be ended from here: the first one, this one, or one that this one runs in."""
    import psutil

    own = psutil.Process()
    return pid in {1, own.pid, *(parent.pid for parent in own.parents())}


@contextmanager
def _process_descriptor(pid: int) -> Iterator[int | None]:
    """What stands for a process and never for another (Linux); ``None`` where there is no such thing."""
    descriptor = None
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _send(pid: int, descriptor: int | None, number: signal.Signals) -> None:
    if descriptor is None:
        os.kill(pid, number)
    else:
        signal.pidfd_send_signal(descriptor, number)


def _wait_for_ports(
    ports: Sequence[HostPort], holder: PortHolder, descriptor: int | None
) -> Ending:
    deadline = time.monotonic() + GRACE_SECONDS
    has_ended = False
    while taken := taken_of(ports):
        if not has_ended and _has_ended(holder, taken, descriptor):
            has_ended = True
            deadline = min(deadline, time.monotonic() + _HANDOVER_SECONDS)
        if time.monotonic() >= deadline:
            return Ending.CHANGED if has_ended else Ending.STAYS
        time.sleep(_LOOK_SECONDS)
    return Ending.FREE


def _has_ended(holder: PortHolder, ports: Sequence[HostPort], descriptor: int | None) -> bool:
    if descriptor is None:
        return not _has_any(holder, ports)
    return bool(select.select([descriptor], [], [], 0)[0])
