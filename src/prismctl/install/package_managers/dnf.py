"""Fedora's package manager: what is asked of `dnf`, versions 4 and 5, and what its answers mean."""

from __future__ import annotations

import re
import shlex
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

_ASK_SECONDS: Final = 120.0
"""It fetches its lists when they are old."""
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE: Final = re.compile(
    r"(?:Total download size:|Need to download) ([\d.]+) ?([kKMG]?)(?:i?B)?\b", re.MULTILINE
)
_ROW: Final = re.compile(r"^ (?P<name>[\w.+-]+)\s+\w+\s+(?P<version>(?:\d+:)?[\w.~^+-]+)\s+\S+\s")
_HEADING: Final = re.compile(r"^(Installing|Upgrading|Removing|Downgrading|Replacing)\b")
_STEP: Final = re.compile(
    r"^\s*(?:\[\s*(?P<done5>\d+)/(?P<total5>\d+)\]\s+(?:Installing|Upgrading)"
    r"|(?:Installing|Upgrading)\s+:.*\s(?P<done4>\d+)/(?P<total4>\d+)\s*$)"
)
_LOCKED: Final = re.compile(
    r"(?:Waiting for process with pid|is held by PID|pid)\s*:?\s*(\d+)", re.IGNORECASE
)
_NO_NETWORK: Final = re.compile(
    r"Could(?:n't| not) resolve host|Failed to connect|Connection timed out|Failed to download metadata"
    r"|Cannot download repomd|All mirrors were tried|Network is unreachable"
)
_MISSING: Final = re.compile(r"No match for argument: (\S+)|Unable to find a match: (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnf:
    """`dnf` of this machine."""

    environment: Mapping[str, str]

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return ProviderName.DNF

    @property
    def needs_root(self) -> bool:
        """Fedora's packages are root's."""
        return True

    @property
    def tidies_up(self) -> str:
        """Finds what an interrupted transaction has left twice."""
        return "dnf remove --duplicates"

    async def simulate(self, tool: Tool) -> Simulation:
        """What `dnf install` would do; Fedora's podman brings all that it needs.

        Raises:
            UnavailableError: the repositories do not have it, or dnf would remove something for it.
        """
        # It says "no" to itself, and ends with a status that means it.
        answer = await run_command(
            ("dnf", "--assumeno", "install", tool.name.value),
            environment={**self.environment, "COLUMNS": "200"},
            timeout_seconds=_ASK_SECONDS,
        )
        planned = read_transaction(answer.output)
        version = planned.versions.get(tool.name.value)
        if version is None:
            raise self.explain(answer.lines) or UnavailableError(
                f"dnf cannot install {tool.title}: {_last(answer.lines)}",
                hint=f"`dnf --assumeno install {tool.name}` says more",
            )
        command = ("dnf", "install", "-y", tool.name.value)
        if planned.removed:
            raise UnavailableError(
                f"dnf would remove {', '.join(planned.removed)} for {tool.title}",
                hint=f"if that is right: `sudo {shlex.join(command)}`",
            )
        return Simulation(
            version=parse_version(version),
            commands=(command,),
            new=planned.new,
            upgraded=planned.upgraded,
            size_bytes=planned.size_bytes,
        )

    def follow(self, size_bytes: int | None) -> DnfProgress:  # noqa: ARG002 - it counts packages alone
        """Somebody who understands the lines that it prints into a pipe."""
        return DnfProgress()

    def explain(self, lines: Sequence[str]) -> PrismError | None:
        """What a run failed of, where it is known."""
        return explain_dnf(lines)

    async def list_installed(self) -> frozenset[str]:
        """The packages that rpm has installed."""
        answer = await run_command(
            ("rpm", "-qa", "--qf", "%{NAME}\\n"),
            environment=self.environment,
            timeout_seconds=_ASK_SECONDS,
        )
        return frozenset(answer.output.split())

    async def describe_damage(self) -> str:
        """Packages that are installed in two versions, which an interrupted upgrade leaves behind."""
        answer = await run_command(
            ("dnf", "-q", "repoquery", "--duplicates", "--qf", "%{name}\\n"),
            environment=self.environment,
            timeout_seconds=_ASK_SECONDS,
        )
        return ", ".join(sorted(set(answer.output.split())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The table that dnf shows before it asks."""

    versions: Mapping[str, str]
    new: tuple[str, ...]
    upgraded: tuple[str, ...]
    removed: tuple[str, ...]
    size_bytes: int | None


class DnfProgress:
    """Packages, as they are installed."""

    def read(self, line: str) -> Progress | None:
        """How far it is after this line."""
        step = _STEP.match(line)
        if step is None:
            return None
        done, total = step["done5"] or step["done4"], step["total5"] or step["total4"]
        return Progress(done=int(done), total=int(total), unit=Unit.PACKAGES)


def read_transaction(output: str) -> Transaction:
    """What dnf would do, by the table that it shows before it asks."""
    versions: dict[str, str] = {}
    packages: dict[str, list[str]] = {}
    heading = ""
    for line in output.splitlines():
        if line.startswith("Transaction Summary"):
            break
        if found := _HEADING.match(line):
            heading = found[1]
        elif heading and (row := _ROW.match(line)):
            versions.setdefault(row["name"], row["version"])
            packages.setdefault(heading, []).append(row["name"])
    size = _SIZE.search(output)
    return Transaction(
        versions=versions,
        new=tuple(packages.get("Installing", ())),
        upgraded=tuple(packages.get("Upgrading", ())),
        removed=tuple(packages.get("Removing", ())),
        size_bytes=round(float(size[1]) * _UNITS[size[2].lower()]) if size else None,
    )


def explain_dnf(lines: Iterable[str]) -> PrismError | None:
    """What dnf failed of, in one sentence; ``None``: nothing that is known."""
    text = "\n".join(lines)
    if missing := _MISSING.search(text):
        return UnavailableError(
            f"the configured repositories of dnf have no package {missing[1] or missing[2]}",
            hint="`dnf repolist` shows them",
        )
    if "This command has to be run with superuser" in text:
        return UnavailableError("dnf needs root's rights here", hint="try again as root")
    if unreachable := _NO_NETWORK.search(text):
        line = next(line for line in text.splitlines() if unreachable[0] in line)
        return UnavailableError(
            f"dnf cannot reach its repositories: {shorten_line(line)}",
            hint="look at the network and at /etc/yum.repos.d, then try again",
        )
    if "lock" in text.lower() and (locked := _LOCKED.search(text)):
        return UnavailableError(
            f"another package manager (PID {locked[1]}) is at work",
            hint="try again once it has finished",
        )
    if "No space left on device" in text or ("At least" in text and "needed on the" in text):
        return PrismError(
            "dnf has no room for the packages", hint="`df -h / /var` shows how much there is"
        )
    return None


def _last(lines: Sequence[str]) -> str:
    return shorten_line((list(lines) or ["it did not say why"])[-1])
