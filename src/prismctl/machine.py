"""Facts about this machine: programs, tools, memory, and who has which port.

Looked at when it is asked for, and no earlier: a start that needs no Redis does not look for one.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import re
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.addressing import PortHolder
from prismctl.domain.choice import NOMAD_TOOLS, MachineFacts
from prismctl.domain.problems import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import psutil

    from prismctl.domain.containers import ContainerFacts

BINARIES_DIRECTORY: Final = Path("build", "binaries")
"""Where a project puts the Prism programs that it builds itself."""

_OWN_PACKAGES: Final = (b"prism_services", b"prismctl")
_SCRIPT_HEAD_BYTES: Final = 1024
_COMMAND_LENGTH: Final = 60

_NAMED_BY: Final = {"kafka-server-start.sh": "KAFKA_HOME", "java": "JAVA_HOME"}
"""Programs for which a variable names the installation that is meant."""
_POSTGRES_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
SERVER_PLACES: Final = {
    "postgres": _POSTGRES_PLACES,
    "initdb": _POSTGRES_PLACES,
    # On nobody's PATH but root's.
    "nats-server": ("/usr/sbin", "/usr/local/sbin"),
    "kafka-server-start.sh": (
        "{tools}/kafka/bin",
        "/opt/kafka/bin",
        "/opt/homebrew/opt/kafka/libexec/bin",
        "/usr/local/opt/kafka/libexec/bin",
    ),
    "java": (
        "/usr/lib/jvm/default-java/bin",
        "/opt/homebrew/opt/openjdk/bin",
        "/usr/local/opt/openjdk/bin",
    ),
}
"""Where servers are that PATH does not know: packages of Debian and Red Hat, Homebrew, and what init has brought."""

_LISTENING: Final = "0A"
_TIME_WAIT: Final = "06"


class Tool(NamedTuple):
    """A tool that was found."""

    path: str
    """Absolute."""
    origin: str
    """Where it came from, in words."""


class Skipped(NamedTuple):
    """A program that is as good as not there, because somebody else could have us run something by it."""

    path: str
    culprit: str
    """The program or the directory that somebody else can change."""
    owner: str = ""
    """To whom the culprit belongs, where that is the reason; empty: everybody can write to it."""


def find_tool(
    name: str, home_tools: Path, environment: Mapping[str, str] = os.environ
) -> Tool | None:
    """Nomad, Consul or another tool: the one that init installed, the one in the cache, or the one on PATH.

    One that others could have put there or could change is as good as not there.

    Args:
        name: of the program.
        home_tools: the ``bin`` of the home.
        environment: says where the cache is (``PRISM_TOOLS_DIR``) and what PATH is.
    """
    for path, origin in _tool_places(name, home_tools, environment):
        if _is_program(path) and _is_safe(path, judges_owner=True):
            return Tool(str(path), origin)
    found = _search_path(name, environment)
    return Tool(found, "on PATH") if found else None


def find_skipped_tools(
    name: str, home_tools: Path, environment: Mapping[str, str] = os.environ
) -> list[Skipped]:
    """What `find_tool` passes over before it comes to the one it takes."""
    places = [path for path, _ in _tool_places(name, home_tools, environment)]
    return _find_skipped(name, places, environment)


def find_skipped_programs(
    name: str, project_directory: Path, environment: Mapping[str, str] = os.environ
) -> list[Skipped]:
    """What a service is not run by, of ``build/binaries`` and of PATH, before the one that it is."""
    return _find_skipped(name, [project_directory / BINARIES_DIRECTORY / name], environment)


def _tool_places(
    name: str, home_tools: Path, environment: Mapping[str, str]
) -> tuple[tuple[Path, str], ...]:
    return (
        (home_tools / name, "installed by init"),
        (tools_directory(environment) / name, "built on this machine"),
    )


def _find_skipped(name: str, own: list[Path], environment: Mapping[str, str]) -> list[Skipped]:
    skipped: list[Skipped] = []
    candidates = [(path, True) for path in own]
    candidates += [(path, False) for path in _path_candidates(name, environment)]
    for path, judges_owner in candidates:
        if not _is_program(path):
            continue
        danger = _find_danger(path, judges_owner=judges_owner)
        if danger is None:
            break
        skipped.append(danger)
    return skipped


def tools_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where tools that were built once for this machine are kept, beside every home."""
    chosen = environment.get("PRISM_TOOLS_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = environment.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else _home(environment) / ".cache") / "prismctl" / "tools"


def gather_facts(
    *,
    home_tools: Path,
    project_directory: Path,
    look_for_containers: Callable[[], ContainerFacts],
    read_version: Callable[[str], str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> MachineFacts:
    """What choices on this machine depend on.

    Args:
        home_tools: the ``bin`` of the home.
        project_directory: where ``build/binaries`` is looked for.
        look_for_containers: says whether containers can be run; called at most when somebody has to know.
        read_version: says which version a program is; likewise.
        environment: whose PATH counts.
    """
    tools = {name: find_tool(name, home_tools, environment) for name in NOMAD_TOOLS}
    binaries = project_directory / BINARIES_DIRECTORY
    return MachineFacts(
        find_program=lambda name: find_program(name, environment),
        find_binary=lambda name: _find_binary(binaries / name),
        tools={name: tool.path for name, tool in tools.items() if tool is not None},
        look_for_containers=look_for_containers,
        read_version=read_version,
        memory_bytes=read_memory_bytes(),
        system=sys.platform,
    )


def find_program(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The absolute path of a program, empty where there is none; commands of this very package don't count."""
    if "/" in name:
        return name if _is_program(Path(name)) else ""
    named = _search_named(name, environment)
    if named:
        return named
    return _search_path(name, environment, skips_own=True) or _search_places(name, environment)


def _search_named(name: str, environment: Mapping[str, str]) -> str:
    """A program in the installation that a variable points to; that goes before PATH."""
    home = environment.get(_NAMED_BY.get(name, ""), "")
    if not os.path.isabs(home):  # noqa: PTH117 - a string, and mostly an empty one
        return ""
    program = Path(home, "bin", name)
    return str(program) if _is_program(program) and _is_safe(program, judges_owner=False) else ""


def _search_places(name: str, environment: Mapping[str, str]) -> str:
    """A server where packages put it without putting it on PATH; the newest, where there are several."""
    tools = tools_directory(environment)
    for place in SERVER_PLACES.get(name, ()):
        pattern = place.format(tools=glob.escape(str(tools)))
        for directory in sorted(glob.glob(pattern), key=_newest_last, reverse=True):  # noqa: PTH207 - absolute
            program = Path(directory, name)
            is_in_tools = program.is_relative_to(tools)
            if _is_program(program) and _is_safe(program, judges_owner=is_in_tools):
                return str(program)
    return ""


def _newest_last(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def is_own_script(path: str) -> bool:
    """Whether a program is one of the commands that this package installs."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path that is only ever a string here
            head = file.read(_SCRIPT_HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(b"#!") and any(
        b"from " + package in head or b"import " + package in head for package in _OWN_PACKAGES
    )


def read_memory_bytes() -> int:
    """What this machine has; 0 when it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def read_available_memory() -> tuple[int | None, str]:
    """How many bytes programs can still have, and what bounds that other than the machine."""
    if sys.platform != "linux":
        import psutil

        return int(psutil.virtual_memory().available), ""
    machine = _read_meminfo()
    group = _read_group_memory()
    if group is not None and (machine is None or group < machine):
        return group, "the limit of this control group"
    return machine, ""


def _read_meminfo() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _read_group_memory() -> int | None:
    """What the memory controller still allows; ``None`` where it sets no limit."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found: list[int] = []
    for row in groups:
        _, controllers, path = row.split(":", 2)
        if not controllers:
            found += _read_allowances(Path("/sys/fs/cgroup"), path, _GROUP_FILES)
        elif "memory" in controllers.split(","):
            found += _read_allowances(Path("/sys/fs/cgroup/memory"), path, _OLD_GROUP_FILES)
    return min(found, default=None)


_GROUP_FILES: Final = ("memory.max", "memory.current", "inactive_file")
_OLD_GROUP_FILES: Final = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_inactive_file",
)


def _read_allowances(top: Path, path: str, names: tuple[str, str, str]) -> list[int]:
    """What a group and each group around it still allow; those without a limit are left out."""
    found = []
    group = top / path.lstrip("/")
    # In a container, the path is one of the machine's, and only the top of what is seen here is there.
    for each in (group, *group.parents):
        if not each.is_relative_to(top):
            break
        with contextlib.suppress(OSError, ValueError):
            allowance = _read_allowance(each, *names)
            if allowance is not None:
                found.append(allowance)
    return found


def _read_allowance(group: Path, limit_name: str, usage_name: str, cache_key: str) -> int | None:
    word = (group / limit_name).read_text(encoding="ascii").strip()
    # Version 1 says "none" with a number that no machine has.
    if word == "max" or int(word) > 1 << 60:
        return None
    cache = 0
    for row in (group / "memory.stat").read_text(encoding="ascii").splitlines():
        name, _, number = row.partition(" ")
        if name == cache_key:
            cache = int(number)
    used = int((group / usage_name).read_text(encoding="ascii"))
    return max(0, int(word) - used + cache)


def is_port_free(number: int) -> bool:
    """Whether a service could listen on a port of this machine now.

    Found out by trying: on IPv4 with every address, because a listener on any of them is in the way of
    somebody, and on IPv6 where there is one. What only waits for late packets of an ended connection is not.
    """
    return all(
        _can_bind(family, address, number)
        for family, address in (
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - bound for an instant, never listened on
            (socket.AF_INET6, "::"),
        )
    )


_reserved: dict[int, tuple[socket.socket, ...]] = {}
"""Ports that this process has reserved, with what holds them; given back when it ends."""


def reserve_port(number: int, owner: str) -> bool:
    """Whether a port that was chosen is ours until this process ends: two starts at once never choose the same.

    Held as names of unix sockets that exist in the kernel only (Linux); elsewhere everything can be had.

    Args:
        number: of the port.
        owner: who wants it; the same owner gets it in several processes, as when a start attaches to another.
    """
    if sys.platform != "linux" or number in _reserved:
        return True
    digest = hashlib.sha256(owner.encode()).hexdigest()[:16]
    own = _bind_name(f"prismctl-port-{number}-{digest}")
    if own is None:
        return True
    shared = _bind_name(f"prismctl-port-{number}")
    if shared is None:
        own.close()
        return False
    _reserved[number] = (own, shared)
    return True


def release_ports(kept: Collection[int] = ()) -> None:
    """Give back every port that this process has reserved, but for some."""
    for number in _reserved.keys() - set(kept):
        for holder in _reserved.pop(number):
            holder.close()


def _bind_name(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0{name}")
    except OSError:
        holder.close()
        return None
    return holder


def find_stranger(number: int, *, pid: int, started_at: float, mark: str) -> PortHolder | None:
    """Who answers on a port in place of a process that should; ``None`` when nobody says so (Linux).

    A listener that descends from the process, or carries the mark of its keeper, is the service itself, however
    it detached. One that is neither is a stranger when it is older than the process or has another
    keeper's mark; otherwise it may be what the process had started for it (a container, a system service).

    Args:
        number: of the port.
        pid: of the service's own process.
        started_at: when its run began, in seconds since the epoch.
        mark: how an environment says that it is ours, ``NAME=VALUE``.
    """
    if not Path("/proc/net/tcp").exists():
        return None
    wanted = {f"socket:[{row.inode}]" for row in _socket_rows(number) if row.state == _LISTENING}
    if not wanted or any(_holds_any(each, wanted) for each in _descendants(pid)):
        return None
    holder = next((found for inode in wanted if (found := _find_socket_owner(inode[8:-1]))), None)
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


def who_holds(number: int) -> PortHolder | None:
    """Who listens on a port, as far as it can be seen; ``None`` when nobody seems to."""
    if Path("/proc/net/tcp").exists():
        return _holder_from_proc(number)
    return _holder_from_psutil(number)


def _is_program(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except PermissionError:
        # What lies in a directory that is closed to us cannot be run either.
        return False


def _is_safe(path: Path, *, judges_owner: bool) -> bool:
    """Whether nobody else can have a program run as us: neither by changing it nor by putting one in its place.

    Args:
        path: of the program.
        judges_owner: only what belongs to us or to root will do; on PATH it is the user who chose the directories.
    """
    return _find_danger(path, judges_owner=judges_owner) is None


def _find_danger(path: Path, *, judges_owner: bool) -> Skipped | None:
    """By what somebody else can have a program run as us; ``None``: by nothing."""
    program = os.path.realpath(path)
    own = os.geteuid()
    # The directories last: a program that everybody can change is the plainer thing to be told.
    for each in (program, os.path.dirname(program), os.path.dirname(path)):  # noqa: PTH120 - strings do
        try:
            status = os.stat(each)  # noqa: PTH116 - likewise
        except OSError:
            return Skipped(str(path), each)
        if status.st_mode & stat.S_IWOTH:
            return Skipped(str(path), each)
        if judges_owner and status.st_uid not in {own, 0}:
            return Skipped(str(path), each, _user_name(status.st_uid))
    return None


def _find_binary(path: Path) -> str:
    return str(path) if _is_program(path) and _is_safe(path, judges_owner=True) else ""


def _home(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME")
    return Path(home) if home else Path.home()


def _search_path(name: str, environment: Mapping[str, str], *, skips_own: bool = False) -> str:
    for candidate in _path_candidates(name, environment):
        if _is_program(candidate) and _is_safe(candidate, judges_owner=False):
            path = str(candidate)
            if not (skips_own and is_own_script(path)):
                return path
    return ""


def _path_candidates(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    for directory in environment.get("PATH", os.defpath).split(os.pathsep):
        # An empty or relative entry would mean the working directory; what is found there changes with a `cd`.
        if os.path.isabs(directory):  # noqa: PTH117 - entries are strings, and many
            yield Path(directory, name)


def _can_bind(family: socket.AddressFamily, address: str, number: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Does not get past a listener, but past connections that have ended.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, number))
    except OSError as error:
        # Anything else (no IPv6, no right to low ports) is not somebody else's listener.
        return error.errno != errno.EADDRINUSE
    return True


class _SocketRow(NamedTuple):
    state: str
    user_id: int
    inode: str


def _holder_from_proc(number: int) -> PortHolder | None:
    rows = [row for row in _socket_rows(number) if row.state != _TIME_WAIT]
    rows.sort(key=lambda row: row.state != _LISTENING)
    if not rows:
        return None
    for row in rows:
        pid = _find_socket_owner(row.inode)
        if pid is not None:
            return _describe_process(pid)
    return PortHolder(user=_user_name(rows[0].user_id))


def _socket_rows(number: int) -> Iterator[_SocketRow]:
    wanted = f":{number:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[1].endswith(wanted):
                yield _SocketRow(words[3], int(words[7]), words[9])


def _find_socket_owner(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        # Processes end while we look, and those of others are closed to us.
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) == wanted:  # noqa: PTH115 - not a path, a name
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
        user = _user_name(process.stat().st_uid)
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


def _user_name(user_id: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _holder_from_psutil(number: int) -> PortHolder | None:
    import psutil

    # Process by process: macOS tells about all connections at once only to root.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                is_listening = connection.status == psutil.CONN_LISTEN
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
