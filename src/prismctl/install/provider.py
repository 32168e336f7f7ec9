"""Where a tool can come from: one small protocol, and the rule that chooses among those who keep it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from prismctl.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.tools import Licence, Tool, ToolName
    from prismctl.install.versions import Version


class ProviderName(StrEnum):
    """A way to get a tool, as it is typed."""

    PATH = "path"
    RELEASE = "release"
    GO = "go"
    APT = "apt"
    DNF = "dnf"
    BREW = "brew"
    BUNDLE = "bundle"


GO: Final = "1.26"
"""From here on, Go builds all tools at their pinned versions."""
PACKAGE_MANAGERS: Final = frozenset({ProviderName.APT, ProviderName.DNF, ProviderName.BREW})
"""Those that change what is installed on the machine, and not only home."""


class Unit(StrEnum):
    """What progress is counted in."""

    BYTES = "bytes"
    PACKAGES = "packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far something has come."""

    done: int
    total: int | None
    """``None``: nobody knows."""
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a provider would do for one tool, before anything was done."""

    tool: ToolName
    version: Version
    provider: ProviderName
    source: str
    """Where it comes from: a URL, a Go module, packages, a file."""
    licence: Licence
    size_bytes: int | None = None
    """To be fetched; ``None``: not known."""
    command: tuple[str, ...] = ()
    """What will be run, where it is another program that does the work."""
    needs_root: bool = False
    warning: str = ""
    """What somebody should know before: minutes, gigabytes."""
    checksum: str = ""
    """What the fetched file has to be: SHA-256 in hexadecimal; empty where the provider verifies otherwise."""
    signing_key: str = ""
    """Fingerprint of the key that its checksum has to be signed with, in hexadecimal; empty: no signature is asked for."""

    @property
    def changes_machine(self) -> bool:
        """Whether more than home is changed."""
        return self.needs_root or self.provider in PACKAGE_MANAGERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A program that is there, was verified and runs."""

    path: Path
    sha256: str
    """Of the program, in hexadecimal."""
    verified: str
    """How, in words: ``signed by 374EC75B485913604A831CC7C820C6D5CD27AB87, checksum pinned``."""
    is_system: bool = False
    """Whether a package manager put it where it is; everything else lies in the workspace, to be put into home."""
    packages: tuple[str, ...] = ()
    """What the package manager had to install for it that was not there before."""
    created: tuple[Path, ...] = ()
    """What was made for it outside of the workspace that was not there before."""


class Provider(Protocol):
    """Somebody who can get a tool."""

    @property
    def name(self) -> ProviderName:
        """As it is typed."""

    async def offer(self, tool: Tool, version: Version) -> Offer:
        """What it would do; nothing is changed.

        Raises:
            UnavailableError: not from here, on this machine, now; another provider may.
            PrismError: what came back must not be trusted.
        """

    async def provide(
        self, offer: Offer, workspace: Path, report: Callable[[Progress], None]
    ) -> Provided:
        """Get the tool, verified, into a directory on the same file system as its last place.

        What can be used again after an interruption is left in the workspace.

        Raises:
            UnavailableError: it stopped being available on the way.
            PrismError: it could not be got, or must not be trusted.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the choice of a provider depends on."""

    target: str
    """Of this machine, as in ``linux_amd64``."""
    is_released: bool
    """Whether the vendor releases the tool for this machine."""
    forced: ProviderName | None = None
    """What somebody typed."""
    bundle: str = ""
    """The file or directory somebody gave."""
    is_offline: bool = False
    """Whether somebody said that nothing may be fetched."""
    go: str = ""
    """Version of the Go toolchain that is here, be it new enough or not; empty: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider to be asked, and why it is."""

    provider: ProviderName
    why: str


def order_providers(situation: Situation) -> tuple[Candidate, ...]:
    """Whom to ask for Nomad or Consul, in order: the next one only when the one before says it is not available.

    None at all means that nothing can be done here; `explain_nobody` says why.
    """
    if situation.forced is not None:
        return (Candidate(provider=situation.forced, why="--provider asks for it"),)
    if situation.bundle:
        return (Candidate(provider=ProviderName.BUNDLE, why=f"it is in {situation.bundle}"),)
    if situation.is_offline:
        return ()
    found = []
    if situation.is_released:
        found.append(
            Candidate(provider=ProviderName.RELEASE, why=f"it is released for {situation.target}")
        )
    if situation.go:
        why = (
            "the release cannot be had" if found else f"nothing is released for {situation.target}"
        )
        found.append(
            Candidate(provider=ProviderName.GO, why=f"{why}, and Go {situation.go} is here")
        )
    return tuple(found)


def explain_nobody(tool: Tool, situation: Situation) -> MissingToolError:
    """The error when there is nobody to ask."""
    local = "without Nomad: `prismctl dev start --engine local`"
    if situation.is_offline:
        return MissingToolError(
            f"{tool.title} {tool.version} is not on this machine, and --offline forbids fetching it",
            hint=f"`prismctl dev init --from-bundle FILE` installs what another machine has packed; {local}",
        )
    return MissingToolError(
        f"{tool.title} is not released for {situation.target}, and no Go toolchain is here to build it",
        hint=f"install Go {GO} or newer and try again; {local}",
    )
