"""Debian's and Ubuntu's package manager: what is asked of `apt-get`, and what its answers mean."""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.commands import run_command, shorten_line
from prismctl.install.package_managers.interface import Simulation
from prismctl.install.provider import Progress, ProviderName, Unit
from prismctl.install.tools import ToolName
from prismctl.install.versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prismctl.install.commands import Answer
    from prismctl.install.tools import Tool

LOCK_PATIENCE_SECONDS: Final = 60
"""How long another package manager may take to finish; it is waited for."""
_ASK_SECONDS: Final = 30.0
_PODMAN_5: Final = Version(5, 0)
_FOR_EVERYBODY: Final = (
    "crun",
    "runc",
    "netavark",
    "aardvark-dns",
    "iptables",
    "catatonit",
)
"""Podman only recommends some of these, and fails without one or the other of them on some machine."""
_FOR_USERS: Final = ("uidmap", "fuse-overlayfs")
_LIST: Final = ("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\\n")
_LOCKED: Final = re.compile(
    r"Could not get lock (?P<file>\S+?)\.? (?:- |It is held by process (?P<pid>\d+)(?: \((?P<who>[^)]*)\))?)?"
)
_GAVE_UP: Final = re.compile(
    r"^E: (?:Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock)",
    re.MULTILINE,
)
_NO_NETWORK: Final = re.compile(
    r"Temporary failure resolving|Could not resolve|Could not connect to|Unable to connect to"
    r"|Connection timed out|Network is unreachable|Cannot initiate the connection"
)
_MISSING: Final = re.compile(r"Unable to locate package (\S+)|Package '(\S+)' has no installation")
_GONE: Final = re.compile(r"404\s+Not Found")
_URI: Final = re.compile(r"^'[^']+' \S+ (\d+)", re.MULTILINE)
_COUNTS: Final = re.compile(r"^(\d+) upgraded, (\d+) newly installed", re.MULTILINE)
_FILE_STATUS: Final = re.compile(r"^dlstatus:\d+:([\d.]+):")
_PACKAGE_STATUS: Final = re.compile(r"^pmstatus:[^:]*(?::[a-z0-9]+)?:([\d.]+):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """`apt-get` of this machine."""

    environment: Mapping[str, str]
    is_root: bool
    """Whether containers would be run by root, who needs less for it."""

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return ProviderName.APT

    @property
    def needs_root(self) -> bool:
        """Debian's packages are root's."""
        return True

    @property
    def tidies_up(self) -> str:
        """Finishes what dpkg has begun."""
        return "dpkg --configure -a"

    async def simulate(self, tool: Tool) -> Simulation:
        """What `apt-get install` would do, and what it would fetch to the byte.

        Raises:
            UnavailableError: the archive does not have it, or apt would remove something for it.
        """
        wanted = (tool.name.value, *self._helpers(tool, None))
        candidates = await self._candidates(wanted)
        candidate = candidates.get(tool.name.value)
        if candidate is None:
            if not await self._has_lists():
                return Simulation(
                    version=None, commands=(("apt-get", "update"), _install_command(wanted))
                )
            raise UnavailableError(
                f"the configured repositories of apt have no {tool.title}",
                hint=f"`apt-cache policy {tool.name}` shows what they have",
            )
        version = parse_version(candidate)
        helpers = [name for name in self._helpers(tool, version) if name in candidates]
        packages = (tool.name.value, *helpers)
        simulated, uris = await asyncio.gather(
            self._run("apt-get", "-s", "install", "-y", "--no-install-recommends", *packages),
            self._run(
                *("apt-get", "--print-uris", "-qq", "-y", "install", "--no-install-recommends"),
                *packages,
            ),
        )
        if not simulated.is_success:
            raise self.explain(simulated.lines) or UnavailableError(
                f"apt cannot install {tool.title}: {_last(simulated.lines)}",
                hint=f"`apt-get -s install {shlex.join(packages)}` says more",
            )
        new, upgraded, removed = read_simulation(simulated.output)
        if removed:
            raise UnavailableError(
                f"apt would remove {', '.join(removed)} for {tool.title}",
                hint=f"if that is right: `sudo apt-get install {shlex.join(packages)}`",
            )
        return Simulation(
            version=version,
            commands=(_install_command(packages),),
            new=new,
            upgraded=upgraded,
            size_bytes=sum_uris(uris.output) if uris.is_success else None,
        )

    def follow(self, size_bytes: int | None) -> AptProgress:
        """Somebody who understands the lines that `APT::Status-Fd` adds."""
        return AptProgress(size_bytes)

    def explain(self, lines: Sequence[str]) -> PrismError | None:
        """What a run failed of, where it is known."""
        return explain_apt(lines)

    async def list_installed(self) -> frozenset[str]:
        """The packages that dpkg has installed."""
        return read_installed(await self._ask(*_LIST))

    async def describe_damage(self) -> str:
        """The packages that dpkg has begun with and not finished."""
        return ", ".join(read_damaged(await self._ask(*_LIST)))

    def _helpers(self, tool: Tool, version: Version | None) -> tuple[str, ...]:
        """Packages that make a tool work, as far as the archive has them."""
        if tool.name is not ToolName.PODMAN:
            return ()
        if self.is_root:
            return _FOR_EVERYBODY
        # Podman 5 connects the containers of users with pasta, earlier ones with slirp4netns.
        network = (
            ("slirp4netns", "passt")
            if version is None
            else ("passt",)
            if version >= _PODMAN_5
            else ("slirp4netns",)
        )
        return (*_FOR_EVERYBODY, *_FOR_USERS, *network)

    async def _has_lists(self) -> bool:
        """Whether the lists of packages were ever fetched."""
        return bool((await self._ask("apt-get", "indextargets", "Created-By: Packages")).strip())

    async def _candidates(self, packages: Sequence[str]) -> dict[str, str]:
        return read_candidates(await self._ask("apt-cache", "policy", *packages))

    async def _ask(self, *command: str) -> str:
        answer = await self._run(*command)
        if not answer.is_success:
            raise self.explain(answer.lines) or UnavailableError(
                f"`{command[0]}` does not work here: {_last(answer.lines)}",
                hint=f"try it by hand: `{shlex.join(command)}`",
            )
        return answer.output

    async def _run(self, *command: str) -> Answer:
        return await run_command(
            command, environment=self.environment, timeout_seconds=_ASK_SECONDS
        )


class AptProgress:
    """Bytes while apt fetches, then packages while dpkg installs them."""

    def __init__(self, size_bytes: int | None) -> None:
        self._size_bytes = size_bytes
        self._packages: int | None = None

    def read(self, line: str) -> Progress | None:
        """How far it is after this line."""
        if counts := _COUNTS.match(line):
            self._packages = int(counts[1]) + int(counts[2])
            return None
        if (fetched := _FILE_STATUS.match(line)) and self._size_bytes:
            done = round(self._size_bytes * min(float(fetched[1]), 100.0) / 100)
            return Progress(done=done, total=self._size_bytes, unit=Unit.BYTES)
        if (installed := _PACKAGE_STATUS.match(line)) and self._packages:
            done = int(self._packages * min(float(installed[1]), 100.0) / 100)
            return Progress(done=done, total=self._packages, unit=Unit.PACKAGES)
        return None


def read_candidates(policy: str) -> dict[str, str]:
    """The version that each package would have, as `apt-cache policy` tells; those without one are left out."""
    found = {}
    package = ""
    for line in policy.splitlines():
        if line and not line[0].isspace():
            package = line.rstrip(":")
        elif line.startswith("  Candidate: ") and not line.endswith("(none)"):
            found[package] = line.removeprefix("  Candidate: ")
    return found


def read_simulation(output: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The packages that `apt-get -s` would install, upgrade and remove."""
    new: list[str] = []
    upgraded: list[str] = []
    removed: list[str] = []
    for line in output.splitlines():
        words = line.split()
        if line.startswith("Inst "):
            (upgraded if words[2].startswith("[") else new).append(words[1])
        elif line.startswith("Remv "):
            removed.append(words[1])
    return tuple(new), tuple(upgraded), tuple(removed)


def sum_uris(uris: str) -> int:
    """The bytes of what `apt-get --print-uris` lists."""
    return sum(int(size) for size in _URI.findall(uris))


def read_installed(listing: str) -> frozenset[str]:
    """The packages that are installed, without their architectures."""
    return frozenset(
        name.partition(":")[0]
        for state, name in _rows(listing)
        if len(state) > 1 and state[1] == "i"
    )


def read_damaged(listing: str) -> tuple[str, ...]:
    """The packages that dpkg has begun to install and not finished."""
    unfinished = "UFHWt"
    return tuple(
        name.partition(":")[0]
        for state, name in _rows(listing)
        if len(state) > 1 and (state[1] in unfinished or state[2:] == "R")
    )


def explain_apt(lines: Iterable[str]) -> PrismError | None:
    """What apt failed of, in one sentence; ``None``: nothing that is known."""
    text = "\n".join(lines)
    if "lock" in text and (locked := _LOCKED.search(text)) and _GAVE_UP.search(text):
        who = locked["who"] or "another package manager"
        process = f" (PID {locked['pid']})" if locked["pid"] else ""
        return UnavailableError(
            f"{who}{process} is installing packages and holds {locked['file']}",
            hint="try again once it has finished",
        )
    if "dpkg was interrupted" in text:
        return UnavailableError(
            "an earlier installation of packages was interrupted and is not finished",
            hint="`sudo dpkg --configure -a` finishes it",
        )
    # Fetching first: what could not be fetched is what is then missing.
    return _explain_fetching(text) or _explain_absence(text)


def _explain_fetching(text: str) -> PrismError | None:
    if unresolved := _NO_NETWORK.search(text):
        line = next(line for line in text.splitlines() if unresolved[0] in line)
        return UnavailableError(
            f"apt cannot reach its repositories: {shorten_line(line.removeprefix('E: '))}",
            hint="look at the network and at /etc/apt/sources.list, then try again",
        )
    if _GONE.search(text):
        return UnavailableError(
            "the package lists of apt are out of date: what they name is no longer there",
            hint="`sudo apt-get update`, then try again",
        )
    if "No space left on device" in text or "You don't have enough free space" in text:
        return PrismError(
            "apt has no room for the packages", hint="`df -h / /var` shows how much there is"
        )
    return None


def _explain_absence(text: str) -> PrismError | None:
    if missing := _MISSING.search(text):
        return UnavailableError(
            f"the configured repositories of apt have no package {missing[1] or missing[2]}",
            hint="`sudo apt-get update` fetches their lists anew",
        )
    return None


def _install_command(packages: Sequence[str]) -> tuple[str, ...]:
    return (
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
        "-o",
        "APT::Status-Fd=1",
        "-o",
        f"DPkg::Lock::Timeout={LOCK_PATIENCE_SECONDS}",
        # A file in /etc that somebody changed stays as it is, without a question.
        "-o",
        "Dpkg::Options::=--force-confold",
        *packages,
    )


def _rows(listing: str) -> list[tuple[str, str]]:
    return [(line[:3].rstrip(), line[3:].strip()) for line in listing.splitlines() if line.strip()]


def _last(lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.startswith("E: ")]
    return shorten_line((errors or list(lines) or ["it did not say why"])[-1].removeprefix("E: "))
