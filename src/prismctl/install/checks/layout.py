"""What was installed into home and what stacks need there: whether it is as the manifest says, and which prismctl wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prismctl.errors import PrismError
from prismctl.install.checks.finding import Finding, Repair, RepairKind, State
from prismctl.install.manifest import read_manifest

if TYPE_CHECKING:
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.checks.surroundings import Surroundings


class LayoutFacts(NamedTuple):
    """What the manifest says, and whether home is so."""

    has_tools: bool = False
    """Whether anything was installed."""
    complaint: str = ""
    """Why the manifest cannot be used."""
    hint: str = ""
    wrong_links: tuple[str, ...] = ()
    """Names in ``bin`` that mean another version than the manifest says."""
    lost_tools: tuple[str, ...] = ()
    """Files in ``bin`` that the manifest names and that are gone."""
    incomplete_stacks: tuple[str, ...] = ()
    """Stacks that lack directories."""


def gather_layout(surroundings: Surroundings) -> LayoutFacts:
    """The manifest beside what is on the disk."""
    home = surroundings.home
    try:
        if not home.directory.is_dir():
            return LayoutFacts()
    except OSError:
        return LayoutFacts()
    incomplete = tuple(
        stack.paths.name for stack in surroundings.stacks if _lacks_directories(stack.paths)
    )
    try:
        tools = read_manifest(home).tools
    except PrismError as error:
        return LayoutFacts(
            complaint=error.message,
            hint=error.hint,
            incomplete_stacks=incomplete,
        )
    current = {name: history.current for name, history in tools.items() if history.current}
    lost = tuple(file for file in current.values() if not (home.tools / file).is_file())
    wrong = tuple(
        name for name, file in current.items() if file not in lost and _target(home, name) != file
    )
    return LayoutFacts(
        has_tools=bool(current), wrong_links=wrong, lost_tools=lost, incomplete_stacks=incomplete
    )


def _lacks_directories(paths: StackPaths) -> bool:
    own = (paths.logs, paths.data, paths.environments, paths.agents, paths.socket_directory)
    try:
        return paths.socket_pointer.exists() and not all(each.is_dir() for each in own)
    except OSError:
        return False


def _target(home: Home, name: str) -> str:
    try:
        return str((home.tools / name).readlink())
    except OSError:
        return ""


def judge_layout(facts: LayoutFacts) -> tuple[Finding, ...]:
    """Whether what was installed is there and in use, and stacks have their directories."""
    return (*_judge_manifest(facts), *_judge_stacks(facts))


def _judge_manifest(facts: LayoutFacts) -> list[Finding]:
    if facts.complaint:
        return [_layout(State.PROBLEM, facts.complaint, facts.hint)]
    if facts.lost_tools:
        lost = ", ".join(facts.lost_tools)
        return [_layout(State.WARNING, f"installed and gone again: {lost}", "prismctl dev init")]
    if facts.wrong_links:
        names = ", ".join(facts.wrong_links)
        return [
            _layout(
                State.WARNING,
                f"in bin, {names} is not the version that was installed last",
                "prismctl dev doctor --fix",
                Repair(kind=RepairKind.LINK),
            )
        ]
    words = "what was installed is in use" if facts.has_tools else "nothing was installed yet"
    return [_layout(State.FINE, words)]


def _judge_stacks(facts: LayoutFacts) -> list[Finding]:
    if not facts.incomplete_stacks:
        return []
    names = ", ".join(facts.incomplete_stacks)
    return [
        Finding(
            name="directories",
            title="directories",
            state=State.WARNING,
            detail=f"directories of stack {names} are missing",
            fix="prismctl dev doctor --fix",
            repair=Repair(kind=RepairKind.MAKE, stacks=facts.incomplete_stacks),
        )
    ]


def _layout(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(
        name="installation",
        title="installation",
        state=state,
        detail=detail,
        fix=fix,
        repair=repair,
    )
