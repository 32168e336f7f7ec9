"""Who has a port, and whether that is who should have it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.accounts import user_name
from prismctl.domain.addressing import PortHolder
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.problems import shorten
from prismctl.machine.kernel_sockets import TIME_WAIT, find_listeners, find_sockets, is_known
from prismctl.machine.port_owners import find_owners

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    from prismctl.machine.kernel_sockets import KernelSocket

_COMMAND_LENGTH: Final = 60


def is_answered_by(pid: int, number: int) -> bool:
    """Whether a process, or one that it started and did not let go of, accepts at a TCP port (Linux); cheap."""
    wanted = {each.name for each in find_listeners(number)}
    return bool(wanted) and any(_holds_any(each, wanted) for each in _descendants(pid))


def find_stranger(number: int, *, pid: int, started_at: float, mark: str) -> PortHolder | None:
    """Who answers on a TCP port in place of a process that should; ``None`` when nobody says so (Linux).

    A listener that descends from the process, or carries the mark of its keeper, is the service itself, however
    it detached. One that is neither is a stranger when it is older than the process or has another
    keeper's mark; otherwise it may be what the process had started for it (a container, a system service).

    Args:
        number: of the port.
        pid: of the service's own process.
        started_at: when its run began, in seconds since the epoch.
        mark: how an environment says that it is ours, ``NAME=VALUE``.
    """
    if not is_known() or is_answered_by(pid, number):
        return None
    listeners = find_listeners(number)
    holder = next((found for each in listeners if (found := _find_owner(each))), None)
    if holder is None:
        return None
    name = mark.partition("=")[0].encode() + b"="
    try:
        marks = Path("/proc", str(holder), "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    theirs = [each for each in marks if each.startswith(name)]
    if mark.encode() in theirs:
        return None
    described = _describe_process(holder)
    is_older = described.since is not None and described.since < started_at - 1
    return described if theirs or is_older else None


def find_users(pid: int) -> set[int]:
    """As whom a process runs, and all that it and its children started and did not let go of (Linux)."""
    users: set[int] = set()
    for each in _descendants(pid):
        with contextlib.suppress(OSError):
            status = Path("/proc", str(each), "status").read_text(errors="replace")
            users |= {
                int(line.split()[2]) for line in status.splitlines() if line.startswith("Uid:")
            }
    return users


def _descendants(pid: int) -> Iterator[int]:
    """The process and all that it and its children started and did not let go of."""
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        yield each
        with contextlib.suppress(OSError):
            for thread in Path("/proc", str(each), "task").iterdir():
                waiting += [int(word) for word in (thread / "children").read_text().split()]


def _holds_any(pid: int, names: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in Path("/proc", str(pid), "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(descriptor) in names:  # noqa: PTH115 - not a path, a name
                    return True
    return False


def who_holds(number: int, protocol: PortProtocol = PortProtocol.TCP) -> PortHolder | None:
    """Who listens on a port, as far as it can be seen; ``None`` when nobody seems to."""
    find = _holder_from_proc if is_known() else _holder_from_psutil
    holder = find(number, protocol)
    if holder is None or holder.pid is None:
        return holder
    owners = find_owners(holder.pid, HostPort(number, protocol))
    return holder._replace(owner=owners.stack, container=owners.container)


def _holder_from_proc(number: int, protocol: PortProtocol) -> PortHolder | None:
    found = find_listeners(number, protocol)
    found = found or [each for each in find_sockets(number, protocol) if each.state != TIME_WAIT]
    if not found:
        return None
    for each in found:
        pid = _find_owner(each)
        if pid is not None:
            return _describe_process(pid)
    return PortHolder(user=user_name(found[0].user_id))


def _find_owner(wanted: KernelSocket) -> int | None:
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        # Processes end while we look, and those of others are closed to us.
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == wanted.name:  # noqa: PTH115 - not a path, a name
                        return int(process.name)
    return None


def _describe_process(pid: int) -> PortHolder:
    process = Path("/proc", str(pid))
    command, user, since = "", "", None
    with contextlib.suppress(OSError):
        words = process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
        command = _shorten_command([word for word in words if word])
        command = command or process.joinpath("comm").read_text(errors="replace").strip()
    with contextlib.suppress(OSError):
        user = user_name(process.stat().st_uid)
    with contextlib.suppress(OSError, ValueError, IndexError):
        since = _start_time(process)
    return PortHolder(pid=pid, command=command, user=user, since=since)


def _start_time(process: Path) -> float:
    # The name in parentheses may itself have spaces and parentheses in it.
    fields = process.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()
    ticks = int(fields[19])
    boot = next(
        int(line.split()[1])
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
        if line.startswith("btime ")
    )
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def _shorten_command(words: list[str]) -> str:
    if not words:
        return ""
    return shorten(" ".join([os.path.basename(words[0]), *words[1:]]), _COMMAND_LENGTH)  # noqa: PTH119


def _holder_from_psutil(number: int, protocol: PortProtocol) -> PortHolder | None:
    import psutil

    # One of UDP is in no state that tells whether it is bound to serve.
    listening = psutil.CONN_LISTEN if protocol is PortProtocol.TCP else psutil.CONN_NONE

    # Process by process: macOS tells about all connections at once only to root.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(protocol.value):
                is_listening = connection.status == listening
                if is_listening and connection.laddr[1] == number:
                    return _describe_psutil(process)
    return None


def _describe_psutil(process: psutil.Process) -> PortHolder:
    import psutil

    command, user, since = "", "", None
    with contextlib.suppress(psutil.Error):
        since = process.create_time()
        user = process.username()
        command = _shorten_command(process.cmdline()) or process.name()
    return PortHolder(pid=process.pid, command=command, user=user, since=since)
