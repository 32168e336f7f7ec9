"""What a check has to say: one fact, whether it is good, why, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = 1


class State(StrEnum):
    """How good a fact is."""

    FINE = "ok"
    WARNING = "warning"
    """A start works, with something less than it could have."""
    PROBLEM = "problem"
    """A start would fail, or do harm."""


class RepairKind(StrEnum):
    """What can be mended without asking: nothing is lost by it, and nothing outside of home is touched."""

    CLOSE = "close"
    """Take permissions away from other users."""
    MAKE = "make"
    """Make the directories of a stack."""
    LINK = "link"
    """Make the names in ``bin`` mean the versions that the manifest names."""
    SWEEP = "sweep"
    """End what a stack that was killed left behind, and remove its sockets and plan."""


class Repair(NamedTuple):
    """One safe thing to do."""

    kind: RepairKind
    paths: tuple[Path, ...] = ()
    """For `CLOSE`: what is closed."""
    stacks: tuple[str, ...] = ()
    """For `MAKE` and `SWEEP`: whose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact that a start depends on."""

    name: str
    """Stays the same from version to version: ``nomad``, ``port-5432``."""
    title: str
    """For people: ``Nomad 1.11.3``."""
    state: State
    detail: str
    """The fact itself, in one line."""
    fix: str = ""
    """What to type, or to do; empty where there is nothing to be done."""
    repair: Repair | None = None
    """What `doctor --fix` does about it."""


def worst_state(states: Sequence[State]) -> State:
    """The worst of several; nothing at all is fine."""
    order = list(State)
    return max(states, key=order.index, default=State.FINE)


def render_findings(findings: Sequence[Finding], fixed: Sequence[str] = ()) -> dict[str, Any]:
    """The findings as a document.

    Args:
        findings: in the order in which they are shown.
        fixed: what was mended before they were found, in words.
    """
    count = {state: sum(finding.state is state for finding in findings) for state in State}
    return {
        "schema": SCHEMA,
        "checks": [
            {
                "name": finding.name,
                "title": finding.title,
                "state": finding.state.value,
                "detail": finding.detail,
                "fix": finding.fix,
                "fixable": finding.repair is not None,
            }
            for finding in findings
        ],
        "fixed": list(fixed),
        "summary": {
            "checks": len(findings),
            "ok": count[State.FINE],
            "warnings": count[State.WARNING],
            "problems": count[State.PROBLEM],
        },
    }
