"""What is asked of a package manager, and what it would do, in words that fit all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.errors import PrismError
    from prismctl.install.provider import Progress, ProviderName
    from prismctl.install.tools import Tool
    from prismctl.install.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a package manager would do, asked without changing anything."""

    version: Version | None
    """Of the tool as it would be installed; ``None``: known only once the package lists are fetched."""
    commands: tuple[tuple[str, ...], ...]
    """What has to be run, in order, without what gives it the rights."""
    new: tuple[str, ...] = ()
    """Packages that would be installed."""
    upgraded: tuple[str, ...] = ()
    """Packages that are there and would be replaced by newer ones."""
    size_bytes: int | None = None
    """To be fetched; ``None``: not known."""


class ProgressReader(Protocol):
    """Understands what a package manager prints while it works."""

    def read(self, line: str) -> Progress | None:
        """How far it is after this line; ``None``: the line does not say."""


class PackageManager(Protocol):
    """One package manager of this machine."""

    @property
    def name(self) -> ProviderName:
        """As it is typed."""

    @property
    def needs_root(self) -> bool:
        """Whether installing takes root's rights."""

    @property
    def tidies_up(self) -> str:
        """What to type, as root, after an interruption has left something half installed; empty: nothing."""

    async def simulate(self, tool: Tool) -> Simulation:
        """What it would do for a tool.

        Raises:
            UnavailableError: it cannot be had from here.
        """

    def follow(self, size_bytes: int | None) -> ProgressReader:
        """Somebody who understands its progress, given the bytes that will be fetched."""

    def explain(self, lines: Sequence[str]) -> PrismError | None:
        """What went wrong, by the last lines of a run that failed; ``None``: nothing that is known."""

    async def list_installed(self) -> frozenset[str]:
        """The names of all packages that are installed."""

    async def describe_damage(self) -> str:
        """What an interruption has left half installed, in words; empty: nothing."""
