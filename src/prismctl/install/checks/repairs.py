"""Does the safe things that findings ask for, each told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.closing import close_to_others
from prismctl.files.text import name_for_people
from prismctl.install.checks.finding import RepairKind
from prismctl.install.placing import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.checks.finding import Finding, Repair


def repair_all(
    findings: Iterable[Finding], home: Home, sweep: Callable[[str], list[str]]
) -> tuple[list[str], list[str]]:
    """Do everything that can be mended; what was done, and what could not be, in words.

    Args:
        findings: of which those without a repair are left alone.
        home: whose they are.
        sweep: ends what is left of a stack, and says what that was.
    """
    done: list[str] = []
    failed: list[str] = []
    for finding in findings:
        if finding.repair is None:
            continue
        try:
            done += _carry_out(finding.repair, home, sweep)
        except PrismError as error:
            failed.append(f"{finding.title}: {error.message}")
    return done, failed


def _carry_out(repair: Repair, home: Home, sweep: Callable[[str], list[str]]) -> list[str]:
    if repair.kind is RepairKind.CLOSE:
        return [_close(path) for path in repair.paths]
    if repair.kind is RepairKind.LINK:
        settle(home)
        return ["the names in bin mean what was installed last again"]
    if repair.kind is RepairKind.MAKE:
        for name in repair.stacks:
            home.stack(name).ensure()
        return [f"made the directories of stack {name}" for name in repair.stacks]
    return [words for name in repair.stacks for words in sweep(name)]


def _close(path: Path) -> str:
    before, after = close_to_others(path)
    return f"{name_for_people(path)} has mode {after:04o} now, not {before:04o}"
