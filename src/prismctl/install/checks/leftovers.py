"""What earlier runs left: stacks that were killed, sockets at which nobody answers, processes nobody looks after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prismctl.install.checks.finding import Finding, Repair, RepairKind, State
from prismctl.install.checks.marked import find_marked, find_own_line
from prismctl.install.checks.supervisors import find_lost

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
        facts.append(
            LeftoverFacts(
                stack=name,
                orphans=tuple(orphans.get(name, ())),
                has_plan=stack is not None and stack.is_left_behind,
                dead_sockets=_count_sockets(stack.paths) if stack is not None else 0,
                lost=tuple(lost.get(name, ())),
            )
        )
    return tuple(
        each for each in facts if each.orphans or each.has_plan or each.dead_sockets or each.lost
    )


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
    elif not facts.orphans:
        words.append("left sockets at which nobody answers")
    if facts.orphans:
        first = facts.orphans[0]
        count = len(facts.orphans)
        still = f"PID {first.pid} ({first.command}) still runs"
        if count > 1:
            still = f"{count} processes still run, the first is PID {first.pid} ({first.command})"
        words.append(f"and {still}" if facts.has_plan else f"is not running, but {still}")
    return Finding(
        name=f"leftovers-{facts.stack}",
        title="leftovers",
        state=State.PROBLEM if facts.orphans else State.WARNING,
        detail=" ".join(words),
        fix=f"prismctl dev stop --stack {facts.stack}"
        if facts.has_plan
        else "prismctl dev doctor --fix",
        repair=Repair(kind=RepairKind.SWEEP, stacks=(facts.stack,)),
    )


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
