"""Homebrew: what is asked of `brew`, and what its answers mean."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.install.commands import run_command, shorten_line
from prismctl.install.package_managers.interface import Simulation
from prismctl.install.provider import Progress, ProviderName, Unit
from prismctl.install.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prismctl.install.tools import Tool

_ASK_SECONDS: Final = 60.0
_QUIET: Final = {
    "HOMEBREW_NO_AUTO_UPDATE": "1",
    "HOMEBREW_NO_INSTALL_CLEANUP": "1",
    "HOMEBREW_NO_INSTALL_UPGRADE": "1",
    "HOMEBREW_NO_ENV_HINTS": "1",
    "HOMEBREW_NO_COLOR": "1",
}
"""It would otherwise update itself, clean up and upgrade other formulae along with what was asked for."""
_WOULD: Final = re.compile(r"^==> Would install \d+ (?:formulae?|dependenc(?:y|ies)\b.*):?$")
_POURED: Final = re.compile(r"^==> (?:Pouring|Installing) ")
_NO_NETWORK: Final = re.compile(
    r"Could not resolve host|Failed to connect|Connection timed out|curl: \(\d+\)"
)
_LOCKED: Final = re.compile(r"already locked|Another active Homebrew|has already locked")
_MISSING: Final = re.compile(r"No available formula|No formulae or casks found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brew:
    """`brew` of this machine."""

    environment: Mapping[str, str]
    is_root: bool
    """Homebrew refuses to work for root."""

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return ProviderName.BREW

    @property
    def needs_root(self) -> bool:
        """Homebrew belongs to whoever installed it."""
        return False

    @property
    def tidies_up(self) -> str:
        """It pours whole or not at all."""
        return ""

    async def simulate(self, tool: Tool) -> Simulation:
        """What `brew install` would do; it does not say how much it fetches.

        Raises:
            UnavailableError: it has no such formula, or it is run by root.
        """
        if self.is_root:
            raise UnavailableError(
                "Homebrew refuses to work for root", hint="try again as the user who installed it"
            )
        told = await self._ask("brew", "info", "--json=v2", "--formula", tool.name.value)
        formula = read_formula(told)
        if formula is None:
            raise UnavailableError(
                f"Homebrew's taps have no {tool.title}", hint=f"`brew search {tool.name}`"
            )
        full_name, version = formula
        would = await self._ask("brew", "install", "--dry-run", "--formula", full_name)
        return Simulation(
            version=parse_version(version),
            commands=(("brew", "install", "--formula", full_name),),
            new=read_dry_run(would) or (tool.name.value,),
        )

    def follow(self, size_bytes: int | None) -> BrewProgress:  # noqa: ARG002 - it never says how much
        """Somebody who understands its headings."""
        return BrewProgress()

    def explain(self, lines: Sequence[str]) -> PrismError | None:
        """What a run failed of, where it is known."""
        return explain_brew(lines)

    async def list_installed(self) -> frozenset[str]:
        """The formulae that are poured."""
        return frozenset((await self._ask("brew", "list", "--formula", "-1")).split())

    async def describe_damage(self) -> str:
        """Nothing: what is not poured to its end is not linked."""
        return ""

    async def _ask(self, *command: str) -> str:
        answer = await run_command(
            command, environment={**self.environment, **_QUIET}, timeout_seconds=_ASK_SECONDS
        )
        if not answer.is_success:
            last = shorten_line((list(answer.lines) or ["it did not say why"])[-1])
            raise self.explain(answer.lines) or UnavailableError(
                f"Homebrew does not work here: {last.removeprefix('Error: ')}", hint="`brew doctor`"
            )
        return answer.output


class BrewProgress:
    """Formulae, as they are poured."""

    def __init__(self) -> None:
        self._done = 0

    def read(self, line: str) -> Progress | None:
        """How far it is after this line."""
        if not _POURED.match(line):
            return None
        self._done += 1
        return Progress(done=self._done, total=None, unit=Unit.PACKAGES)


def read_formula(information: str) -> tuple[str, str] | None:
    """Full name and version of what ``brew info --json=v2`` tells of; ``None``: of nothing that can be installed."""
    try:
        formula = json.loads(information)["formulae"][0]
        if formula["disabled"]:
            return None
        return str(formula["full_name"]), str(formula["versions"]["stable"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def read_dry_run(output: str) -> tuple[str, ...]:
    """The formulae that ``brew install --dry-run`` lists."""
    names: list[str] = []
    is_listing = False
    for line in output.splitlines():
        if line.startswith("==>"):
            is_listing = bool(_WOULD.match(line))
        elif is_listing:
            names += line.split()
    return tuple(names)


def explain_brew(lines: Iterable[str]) -> PrismError | None:
    """What Homebrew failed of, in one sentence; ``None``: nothing that is known."""
    text = "\n".join(lines)
    for sign, sentence, hint in (
        (_MISSING, "Homebrew's taps do not have it", "`brew tap` shows the taps"),
        (_LOCKED, "another `brew` is at work", "try again once it has finished"),
        (_NO_NETWORK, "Homebrew cannot reach its server", "look at the network, then try again"),
    ):
        if found := sign.search(text):
            line = next(line for line in text.splitlines() if found[0] in line)
            return UnavailableError(
                f"{sentence}: {shorten_line(line.removeprefix('Error: '))}", hint=hint
            )
    return None
