"""What Podman says of itself, and what it depends on that it does not say."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.accounts import user_name
from prismctl.errors import PrismError
from prismctl.install.commands import run_command, shorten_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASK_SECONDS: Final = 20.0
"""Its first answer after installation takes longer than all others: it lays out its storage."""
RUNTIMES: Final = ("crun", "runc")
"""Programs that Podman can start containers with, in the order in which it prefers them."""
_SUBORDINATE_FIELDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachine:
    """The machine in which Podman runs containers where the system itself cannot."""

    name: str
    is_running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanFacts:
    """Podman, as it is found."""

    path: Path
    version: str = ""
    complaint: str = ""
    """Its last words, where it does not even say what it is like."""
    is_virtual: bool = False
    """Whether containers run in a virtual machine rather than here."""
    machines: tuple[VirtualMachine, ...] = ()
    is_rootless: bool = False
    user: str = ""
    cgroup_version: str = ""
    """As in ``v2``."""
    cgroup_manager: str = ""
    cgroup_controllers: tuple[str, ...] = ()
    """What can be limited, as in ``memory``."""
    runtime: str = ""
    """What starts containers: ``crun``, ``runc``."""
    runtimes: tuple[str, ...] = ()
    """Those that are on this machine."""
    network_backend: str = ""
    rootless_network: str = ""
    """What connects the containers of users: path of ``pasta`` or ``slirp4netns``; empty: nothing."""
    storage_driver: str = ""
    search_registries: tuple[str, ...] = ()
    """Where an image with a short name is looked for."""
    socket: str = ""
    """Path of its API's socket."""
    has_socket: bool = False
    """Whether anybody has put it there."""
    subordinate_uids: int = 0
    """How many users of a container this user may have."""
    subordinate_gids: int = 0
    has_id_mappers: bool = True
    """Whether ``newuidmap`` and ``newgidmap`` are here."""

    @property
    def summary(self) -> str:
        """What it is like, in one line."""
        rights = "rootless" if self.is_rootless else "rootful"
        parts = (
            f"{self.version} {rights}" + (" in a virtual machine" if self.is_virtual else ""),
            self.runtime,
            self.network_backend,
            f"cgroup {self.cgroup_version}" if self.cgroup_version else "",
        )
        return ", ".join(part for part in parts if part)


async def inspect_podman(
    path: Path, environment: Mapping[str, str], *, system: str = sys.platform
) -> PodmanFacts:
    """What Podman is like here; what it cannot say is left empty, with its complaint.

    Args:
        path: of the program.
        environment: it is asked with, settings of the home included.
        system: as in `sys.platform`.
    """
    is_virtual = system != "linux"
    machines: tuple[VirtualMachine, ...] = ()
    try:
        if is_virtual:
            listed = await run_command(
                (str(path), "machine", "list", "--format", "json"),
                environment=environment,
                timeout_seconds=_ASK_SECONDS,
            )
            machines = read_machines(listed.output)
        answer = await run_command(
            (str(path), "info", "--format", "json"),
            environment=environment,
            timeout_seconds=_ASK_SECONDS,
        )
        complaint = "" if answer.is_success else _last_words(answer.lines)
        information = json.loads(answer.output) if answer.is_success else {}
    except (PrismError, ValueError) as error:
        complaint, information = str(error), {}
    if not isinstance(information, dict):
        complaint, information = "`podman info` does not say what it should", {}
    facts = replace(
        read_information(path, information, is_virtual=is_virtual),
        complaint=complaint,
        machines=machines,
    )
    return await asyncio.to_thread(_look_around, facts, environment)


def read_information(path: Path, information: dict[str, Any], *, is_virtual: bool) -> PodmanFacts:
    """The part of the facts that ``podman info --format json`` tells."""
    host = _table(information, "host")
    networks = [_table(host, name).get("executable") for name in ("pasta", "slirp4netns")]
    return PodmanFacts(
        path=path,
        is_virtual=is_virtual,
        version=str(_table(information, "version").get("Version", "")),
        is_rootless=bool(_table(host, "security").get("rootless")),
        cgroup_version=str(host.get("cgroupVersion", "")),
        cgroup_manager=str(host.get("cgroupManager", "")),
        cgroup_controllers=tuple(host.get("cgroupControllers") or ()),
        runtime=str(_table(host, "ociRuntime").get("name", "")),
        network_backend=str(host.get("networkBackend", "")),
        rootless_network=next((str(found) for found in networks if found), ""),
        storage_driver=str(_table(information, "store").get("graphDriverName", "")),
        search_registries=tuple(_table(information, "registries").get("search") or ()),
        socket=str(_table(host, "remoteSocket").get("path", "")).removeprefix("unix://"),
    )


def read_machines(listing: str) -> tuple[VirtualMachine, ...]:
    """What ``podman machine list --format json`` tells; nothing where it tells nothing."""
    try:
        machines = json.loads(listing)
    except ValueError:
        return ()
    if not isinstance(machines, list):
        return ()
    return tuple(
        VirtualMachine(
            name=str(each.get("Name", "")).rstrip("*"), is_running=bool(each.get("Running"))
        )
        for each in machines
        if isinstance(each, dict)
    )


def count_subordinates(table: str, user: str) -> int:
    """How many subordinate IDs a user has by ``/etc/subuid`` or ``/etc/subgid``."""
    rows = (line.split(":") for line in table.splitlines())
    return sum(
        int(row[2])
        for row in rows
        if len(row) == _SUBORDINATE_FIELDS and row[0] == user and row[2].isdigit()
    )


def _look_around(facts: PodmanFacts, environment: Mapping[str, str]) -> PodmanFacts:
    """The facts with what Podman depends on and does not tell."""
    user = user_name(os.geteuid())

    def is_here(program: str) -> bool:
        return shutil.which(program, path=environment.get("PATH", "")) is not None

    return replace(
        facts,
        user=user,
        is_rootless=facts.is_rootless if facts.version else os.geteuid() != 0,
        runtimes=() if facts.is_virtual else tuple(filter(is_here, RUNTIMES)),
        has_socket=bool(facts.socket) and Path(facts.socket).exists(),
        subordinate_uids=count_subordinates(_read(Path("/etc/subuid")), user),
        subordinate_gids=count_subordinates(_read(Path("/etc/subgid")), user),
        has_id_mappers=is_here("newuidmap") and is_here("newgidmap"),
    )


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _last_words(lines: tuple[str, ...]) -> str:
    errors = [line for line in lines if line.startswith("Error:")]
    last = (errors or list(lines) or ["it failed without a word"])[-1]
    return shorten_line(last.removeprefix("Error: "))
