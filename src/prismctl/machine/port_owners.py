"""For whom a process has a port: which stack's service, which container.

A service carries its keeper's mark in its environment, as everything does that it started. What has the port of a
container carries none: conmon names the container on its command line, the proxies of Docker and of rootless Podman
do not, and the tool is asked.

All of this is what a process says of itself, and ends in commands that people are told to type: a name that could not
be one is as good as none.
"""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.port_owner import ContainerOwner, StackOwner
from prismctl.domain.service import is_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

    from prismctl.domain.host_port import HostPort

_KEEPER: Final = "PRISM_KEEPER"
_PODMAN_PROXIES: Final = frozenset({"rootlessport", "rootlesskit", "pasta", "slirp4netns"})
_OWN_NAME: Final = re.compile(r"(prism-[0-9a-f]{16})-(.+)")
"""What the containers of stacks are called: the keeper's id, then the instance."""
_CONTAINER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What Podman and Docker let a container be called."""
_PUBLISHED: Final = re.compile(r":(\d+)(?:-(\d+))?->[\d-]+/(tcp|udp)")
_ASKING_SECONDS: Final = 3.0
"""How long a tool may take to say which container has a port; without an answer the process is shown as it is."""


class Owners(NamedTuple):
    """For whom a process has a port; both ``None`` for one that has it for itself."""

    stack: StackOwner | None = None
    container: ContainerOwner | None = None


def find_owners(pid: int, port: HostPort) -> Owners:
    """For whom a process has a port, as far as it can be seen."""
    import psutil

    try:
        process = psutil.Process(pid)
        line = [process, *process.parents()]
        words = process.cmdline()
    except (psutil.Error, OSError):
        return Owners()
    container = find_container(words, port)
    if container is not None:
        owner = owner_of_container(container)
        return Owners(_find_home(owner, line) if owner is not None else None, container)
    for each in line:
        marks = _read_environment(each)
        if marks.get(_KEEPER):
            owner = StackOwner(
                marks[_KEEPER],
                stack=_name_or_nothing(marks.get("PRISM_STACK", "")),
                service=_name_or_nothing(marks.get("PRISM_SERVICE", "")),
            )
            return Owners(_find_home(owner, line))
    return Owners()


def owner_of_container(container: ContainerOwner) -> StackOwner | None:
    """The stack of a container, by the container's name; ``None`` for somebody else's."""
    own = _OWN_NAME.fullmatch(container.name)
    return StackOwner(own[1], service=_name_or_nothing(own[2])) if own else None


def find_container(words: Sequence[str], port: HostPort) -> ContainerOwner | None:
    """The container for which a process with this command line has a port; ``None`` for any other process."""
    program = Path(words[0]).name if words else ""
    if program == "conmon":
        name = next((name for flag, name in pairwise(words) if flag == "-n"), "")
        return ContainerOwner("podman", name if _CONTAINER_NAME.fullmatch(name) else "")
    if program == "docker-proxy":
        return ContainerOwner("docker", _ask_tool("docker", port))
    if program.removesuffix(".avx2") in _PODMAN_PROXIES:
        return ContainerOwner("podman", _ask_tool("podman", port))
    return None


def _ask_tool(tool: str, port: HostPort) -> str:
    """The container that publishes a port; empty where the tool does not say."""
    try:
        done = subprocess.run(
            (tool, "ps", "--format", "{{.Names}} {{.Ports}}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASKING_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return find_publisher(done.stdout, port)


def find_publisher(listing: str, port: HostPort) -> str:
    """The container that publishes a port, in lines of a name and what it publishes (``127.0.0.1:80->8080/tcp``)."""
    for text in listing.splitlines():
        name, _, ports = text.partition(" ")
        for first, last, protocol in _PUBLISHED.findall(ports):
            if protocol == port.protocol and int(first) <= port.number <= int(last or first):
                return name
    return ""


def _name_or_nothing(text: str) -> str:
    return text if is_name(text) else ""


def _read_environment(process: psutil.Process) -> dict[str, str]:
    import psutil

    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _find_home(owner: StackOwner, line: Sequence[psutil.Process]) -> StackOwner:
    """With home and name of the stack, which the keeper's command line has, where it is seen above the process."""
    import psutil

    for each in line:
        try:
            words = each.cmdline()
        except (psutil.Error, OSError):
            continue
        options = dict(pairwise(words))
        if options.get("--id") == owner.keeper and "--lock" in options:
            directory = Path(options["--lock"]).parent
            home = str(directory.parent.parent)
            return owner._replace(
                stack=owner.stack or _name_or_nothing(directory.name),
                # One that no terminal can show, nobody can type either.
                home=home if home.isprintable() else "",
            )
    return owner
