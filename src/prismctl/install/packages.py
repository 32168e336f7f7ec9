"""Gets tools from the package manager of this machine: apt, dnf or Homebrew."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.asking_versions import ask_version
from prismctl.install.package_managers.apt import Apt
from prismctl.install.package_managers.brew import Brew
from prismctl.install.package_managers.dnf import Dnf
from prismctl.install.package_managers.rights import Rights, find_rights
from prismctl.install.package_managers.transaction import LAST_LINES, Patience, run_transaction
from prismctl.install.provider import Offer, Progress, Provided, ProviderName
from prismctl.install.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.install.package_managers.interface import PackageManager, Simulation
    from prismctl.install.tools import Tool
    from prismctl.install.versions import Version

_AND: Final = "&&"
_VERSION_PATIENCE_SECONDS: Final = 10.0
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where dpkg and its scripts look for programs; not on every user's PATH."""


class PackageProvider:
    """Installs tools as packages, with all that makes them work."""

    def __init__(
        self,
        manager: PackageManager,
        environment: Mapping[str, str],
        rights: Rights,
        *,
        patience: Patience | None = None,
    ) -> None:
        """Remember whom to ask.

        Args:
            manager: of this machine.
            environment: whose PATH counts; proxies.
            rights: how root's rights can be had.
            patience: how long the manager may take.
        """
        self._manager = manager
        self._environment = dict(environment)
        self._rights = rights
        self._patience = patience or Patience()

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return self._manager.name

    def needs_password(self) -> bool:
        """Whether `sudo` would ask for a password; to be asked before anything is drawn on the terminal."""
        return self._manager.needs_root and self._rights.needs_password(self._environment)

    def authenticate(self) -> None:
        """Let `sudo` ask for the password now, on this terminal.

        Raises:
            PrismError: it was not given, or did not help.
        """
        if self._manager.needs_root:
            self._rights.authenticate(self._environment)

    async def offer(self, tool: Tool, version: Version) -> Offer:
        """What the package manager would do; it is only asked.

        Repositories have one version of a tool: where the usual one is wanted, any that is supported will do.

        Raises:
            UnavailableError: its repositories do not have the tool, or not in a version that is supported.
        """
        simulation = await self._manager.simulate(tool)
        if simulation.version is not None and simulation.version not in tool.supported:
            age = "too old" if simulation.version < tool.supported.first else "too new"
            raise UnavailableError(
                f"{self.name} has {tool.title} {simulation.version}, which is {age}: {tool.supported} is supported"
            )
        if version not in {tool.version, simulation.version}:
            has = f"has {simulation.version}" if simulation.version else "cannot say what it has"
            raise UnavailableError(
                f"{self.name} {has}, not {tool.title} {version}",
                hint="leave the version out to have what the package manager has",
            )
        return Offer(
            tool=tool.name,
            version=simulation.version or version,
            provider=self.name,
            source=_describe_source(self.name, simulation),
            licence=tool.licence,
            size_bytes=simulation.size_bytes,
            command=self._show(simulation.commands),
            needs_root=self._manager.needs_root and not self._rights.is_root,
            warning=_describe_changes(self.name, simulation),
        )

    async def provide(
        self,
        offer: Offer,
        workspace: Path,  # noqa: ARG002 - the package manager has places of its own
        report: Callable[[Progress], None],
    ) -> Provided:
        """Run what was offered, and look what came of it.

        Raises:
            UnavailableError: the network, a lock or the rights are missing.
            InterruptedByUserError: it was cancelled and has left something half installed.
            PrismError: it failed, or what it installed does not run.
        """
        tool = TOOLS[offer.tool]
        before = await self._manager.list_installed()
        heard: deque[str] = deque(maxlen=LAST_LINES)
        *preparing, installing = split_commands(offer.command)
        for command in preparing:
            await self._run(command, offer, report, heard)
        if preparing:
            # The package lists are here now: what they have may be too old, or less than was asked for blindly.
            try:
                offer = await self.offer(tool, tool.version)
            except UnavailableError as error:
                raise self._manager.explain(tuple(heard)) or error from error
            installing = split_commands(offer.command)[-1]
        await self._run(installing, offer, report, heard)
        after = await self._manager.list_installed()
        path = await self._check(tool)
        return Provided(
            path=path,
            sha256=await asyncio.to_thread(_hash, path),
            verified=f"verified by {self.name}",
            is_system=True,
            packages=tuple(sorted(after - before)),
        )

    async def _run(
        self,
        command: Sequence[str],
        offer: Offer,
        report: Callable[[Progress], None],
        heard: deque[str],
    ) -> None:
        await run_transaction(
            _without_prompt(command),
            self._manager,
            self._manager.follow(offer.size_bytes),
            report,
            environment=self._installing_environment(),
            patience=self._patience,
            heard=heard,
        )

    async def _check(self, tool: Tool) -> Path:
        found = shutil.which(tool.name, path=self._environment.get("PATH", ""))
        if found is None:
            raise PrismError(
                f"{self.name} has installed {tool.title}, but there is no `{tool.name}` on PATH",
                hint=f"find it and add its directory to PATH, then `{tool.name} --version`",
            )
        version = await ask_version(
            Path(found), tool.version_arguments, timeout_seconds=_VERSION_PATIENCE_SECONDS
        )
        if version not in tool.supported:
            raise UnavailableError(
                f"{found} is {tool.title} {version}: {tool.supported} is supported",
                hint=f"`prismctl dev init --without {tool.name}` leaves it out",
            )
        return Path(found)

    def _show(self, commands: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """All commands as one that can be typed."""
        shown: list[str] = []
        for command in commands:
            given = self._rights.show(command) if self._manager.needs_root else command
            shown += [*([_AND] if shown else []), *given]
        return tuple(shown)

    def _installing_environment(self) -> dict[str, str]:
        path = self._environment.get("PATH", "").split(os.pathsep)
        missing = [directory for directory in _SBIN if directory not in path]
        return {**self._environment, "PATH": os.pathsep.join([*path, *missing])}


def find_package_managers(environment: Mapping[str, str]) -> dict[ProviderName, PackageProvider]:
    """The package managers of this machine, ready to be asked."""
    rights = find_rights(environment)
    path = environment.get("PATH", "")
    managers: list[PackageManager] = []
    if shutil.which("apt-get", path=path) and shutil.which("dpkg-query", path=path):
        managers.append(Apt(environment=environment, is_root=rights.is_root))
    if shutil.which("dnf", path=path) and shutil.which("rpm", path=path):
        managers.append(Dnf(environment=environment))
    if shutil.which("brew", path=path):
        managers.append(Brew(environment=environment, is_root=rights.is_root))
    return {manager.name: PackageProvider(manager, environment, rights) for manager in managers}


def split_commands(shown: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The commands of an offer, one by one."""
    commands: list[list[str]] = [[]]
    for word in shown:
        if word == _AND:
            commands.append([])
        else:
            commands[-1].append(word)
    return tuple(tuple(command) for command in commands if command)


def _without_prompt(command: Sequence[str]) -> tuple[str, ...]:
    """The same, refusing rather than asking: whoever could be asked has been, by `authenticate`."""
    return ("sudo", "-n", *command[1:]) if command[0] == "sudo" else tuple(command)


def _describe_source(name: ProviderName, simulation: Simulation) -> str:
    if not simulation.new:
        return f"the repositories of {name}"
    count = len(simulation.new)
    return f"{count} package{'s' if count > 1 else ''} from the repositories of {name}"


def _describe_changes(name: ProviderName, simulation: Simulation) -> str:
    if simulation.version is None:
        return (
            f"{name} has no package lists yet: which version it has is known once they are fetched"
        )
    if simulation.upgraded:
        return f"{name} also upgrades {', '.join(simulation.upgraded)}"
    return ""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
