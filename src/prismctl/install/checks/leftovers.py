"""What earlier runs left: stacks that were killed, sockets at which nobody answers, processes nobody looks after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prismctl.errors import PrismError
from prismctl.install.checks.finding import Finding, Repair, RepairKind, State
from prismctl.install.checks.marked import find_marked, find_own_line
from prismctl.install.checks.supervisors import find_lost
from prismctl.install.left_behind import find_left_containers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.files.paths import StackPaths
    from prismctl.install.checks.marked import MarkedProcess
    from prismctl.install.checks.surroundings import Surroundings


class LeftoverFacts(NamedTuple):
    """What is there of a stack that nobody looks after."""

    stack: str
    orphans: tuple[MarkedProcess, ...] = ()
    has_plan: bool = False
    """It ended without being stopped."""
    dead_sockets: int = 0
    lost: tuple[int, ...] = ()
    """PIDs of its keeper and daemon, when they run and cannot be reached."""
    containers: tuple[str, ...] = ()
    """Names of its containers, running or not."""
    unknown: str = ""
    """Why it cannot be told which containers there are; empty when it can."""


def gather_leftovers(surroundings: Surroundings) -> tuple[LeftoverFacts, ...]:
    """Each stack that nobody looks after and of which something is there."""
    attended = {stack.paths.name for stack in surroundings.stacks if stack.is_attended}
    spared = find_own_line()
    orphans: dict[str, list[MarkedProcess]] = {}
    for process in find_marked(surroundings.home, surroundings.marks).values():
        if process.stack and process.stack not in attended and process.pid not in spared:
            orphans.setdefault(process.stack, []).append(process)
    lost: dict[str, list[int]] = {}
    for supervisor in find_lost(surroundings.home, attended):
        lost.setdefault(supervisor.stack, []).append(supervisor.pid)
    seen = {stack.paths.name: stack for stack in surroundings.stacks if not stack.is_attended}
    facts = []
    for name in sorted({*seen, *orphans, *lost}):
        stack = seen.get(name)
        containers, unknown = _look_for_containers(stack.paths) if stack is not None else ((), "")
        facts.append(
            LeftoverFacts(
                stack=name,
                orphans=tuple(orphans.get(name, ())),
                has_plan=stack is not None and stack.is_left_behind,
                dead_sockets=_count_sockets(stack.paths) if stack is not None else 0,
                lost=tuple(lost.get(name, ())),
                containers=containers,
                unknown=unknown,
            )
        )
    return tuple(each for each in facts if any(each[1:]))


def _look_for_containers(paths: StackPaths) -> tuple[tuple[str, ...], str]:
    try:
        return tuple(each.name for each in find_left_containers(paths)), ""
    except PrismError as error:
        return (), error.message


def _count_sockets(paths: StackPaths) -> int:
    try:
        return sum(path.is_socket() for path in (paths.daemon_socket, paths.keeper_socket))
    except OSError:
        return 0


def judge_leftovers(facts: Sequence[LeftoverFacts]) -> tuple[Finding, ...]:
    """A finding for each stack; one that is fine where nothing is left of any."""
    if not facts:
        detail = "nothing is left of earlier runs"
        return (Finding(name="leftovers", title="leftovers", state=State.FINE, detail=detail),)
    return tuple(_judge(each) for each in facts)


def _judge(facts: LeftoverFacts) -> Finding:
    if facts.lost:
        return _judge_lost(facts)
    words = [f"stack `{facts.stack}`"]
    if facts.has_plan:
        words.append("ended without being stopped")
    elif facts.dead_sockets and not facts.orphans and not facts.containers:
        words.append("left sockets at which nobody answers")
    still = [*_tell_orphans(facts.orphans), *_tell_containers(facts.containers)]
    if still:
        told = " and ".join(still)
        words.append(f"and {told}" if facts.has_plan else f"is not running, but {told}")
    if facts.unknown:
        words.append(f"{'and ' if len(words) > 1 else ''}may have left containers: {facts.unknown}")
    return Finding(
        name=f"leftovers-{facts.stack}",
        title="leftovers",
        state=State.PROBLEM if still else State.WARNING,
        detail=" ".join(words),
        fix=f"prismctl dev stop --stack {facts.stack}"
        if facts.has_plan
        else "prismctl dev doctor --fix",
        repair=Repair(kind=RepairKind.SWEEP, stacks=(facts.stack,)),
    )


def _tell_orphans(orphans: Sequence[MarkedProcess]) -> list[str]:
    if not orphans:
        return []
    first = f"PID {orphans[0].pid} ({orphans[0].command})"
    if len(orphans) == 1:
        return [f"{first} still runs"]
    return [f"{len(orphans)} processes still run, the first is {first}"]


def _tell_containers(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    kind = "container" if len(names) == 1 else "containers"
    return [f"{kind} {', '.join(names)} {'is' if len(names) == 1 else 'are'} still there"]


def _judge_lost(facts: LeftoverFacts) -> Finding:
    numbers = " ".join(str(pid) for pid in facts.lost)
    count = len(facts.orphans)
    services = f", with {count} processes" if count else ""
    return Finding(
        name=f"leftovers-{facts.stack}",
        title="leftovers",
        state=State.PROBLEM,
        detail=f"stack `{facts.stack}` lost its directory while it ran: "
        f"nobody can reach its daemon any more (PID {numbers.replace(' ', ', ')}){services}",
        # The keeper takes everything down with it; ending its services first would only restart them.
        fix=f"kill {numbers}",
    )
