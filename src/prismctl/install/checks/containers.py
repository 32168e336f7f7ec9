"""Whether containers run: as `init` has found out, since running one takes longer than anything else here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.install.checks.finding import Finding, State
from prismctl.install.containers.proof import Failure, recall_containers, recall_failure
from prismctl.install.tools import ToolName
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from prismctl.install.checks.surroundings import Surroundings


class ContainerFacts(NamedTuple):
    """What is known of running containers in this home."""

    has_podman: bool
    proof: str | None = None
    """How they ran, in words; ``None``: none has, with what is there now."""
    failure: Failure | None = None
    """What came of the last try, where none ran."""


def gather_containers(surroundings: Surroundings) -> ContainerFacts:
    """What `init` has written down."""
    found = find_tool(ToolName.PODMAN, surroundings.home.tools, surroundings.environment)
    if found is None:
        return ContainerFacts(has_podman=False)
    home, program = surroundings.home, Path(found.path)
    return ContainerFacts(
        has_podman=True,
        proof=recall_containers(home, program),
        failure=recall_failure(home, program),
    )


def judge_containers(facts: ContainerFacts) -> tuple[Finding, ...]:
    """Whether a container has run; nothing, where there is no Podman."""
    if not facts.has_podman:
        return ()
    if facts.proof is None and facts.failure is not None:
        detail = f"none ran when it was tried last: {facts.failure.words}"
        return (_finding(State.WARNING, detail, fix=facts.failure.fix or "prismctl dev init"),)
    if facts.proof is None:
        detail = "nobody has tried to run one with this Podman in this home"
        return (_finding(State.WARNING, detail, fix="prismctl dev init"),)
    return (_finding(State.FINE, facts.proof),)


def _finding(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="containers", title="containers", state=state, detail=detail, fix=fix)
