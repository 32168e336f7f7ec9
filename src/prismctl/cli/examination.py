"""What `doctor` looks at and mends: the checks are given what only a command can know about stacks and terminal."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.client import StackCondition, find_condition, sweep
from prismctl.domain.service import DEFAULT_STACK
from prismctl.errors import PrismError
from prismctl.files.project import find_stack_name
from prismctl.install.checks.configuration import read_catalog, read_others
from prismctl.install.checks.registry import examine
from prismctl.install.checks.repairs import repair_all
from prismctl.install.checks.surroundings import Misread, StackSeen, Surroundings
from prismctl.install.checks.terminal import TerminalFacts
from prismctl.present.problems import message_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.checks.finding import Finding

_ATTENDED = frozenset({StackCondition.RUNNING, StackCondition.UNATTENDED})


def examine_machine(call: Invocation) -> tuple[Finding, ...]:
    """Every finding, as things are now."""
    import asyncio

    return asyncio.run(examine(look_around(call)))


def look_around(call: Invocation) -> Surroundings:
    """Everything that checks need to be told."""
    home, directory = call.home, Path.cwd()
    misread: list[Misread] = []
    catalog = read_catalog(home, misread)
    settings = read_others(home, directory, misread)
    stack = find_stack_name("", os.environ, directory)
    stacks = find_stacks(home)
    known = {stack.paths.name for stack in stacks} | {"default"}
    return Surroundings(
        home=home,
        working_directory=directory,
        environment=os.environ,
        catalog=catalog,
        takes_other_ports=settings.auto_ports or stack != DEFAULT_STACK,
        misread=tuple(misread),
        stacks=stacks,
        terminal=look_at_terminal(call),
        marks={home.stack(name).keeper_id: name for name in known},
    )


def find_stacks(home: Home) -> tuple[StackSeen, ...]:
    """The stacks that home has directories of; none where it cannot be looked into, which is told as such."""
    try:
        names = sorted(entry.name for entry in home.stacks.iterdir() if entry.is_dir())
    except OSError:
        return ()
    return tuple(_see(home.stack(name)) for name in names)


def _see(paths: StackPaths) -> StackSeen:
    try:
        condition = find_condition(paths)
    except PrismError:
        return StackSeen(paths=paths, is_attended=False)
    return StackSeen(
        paths=paths,
        is_attended=condition in _ATTENDED,
        is_left_behind=condition is StackCondition.LEFT_BEHIND,
    )


def look_at_terminal(call: Invocation) -> TerminalFacts:
    """What standard output is connected to."""
    size = shutil.get_terminal_size((80, 24))
    return TerminalFacts(
        is_terminal=call.is_on_terminal,
        columns=size.columns,
        lines=size.lines,
        kind=os.environ.get("TERM", ""),
        has_colour=call.has_colour,
        colour_reason=_why_no_colour(call),
        encoding=sys.stdout.encoding or "",
    )


def _why_no_colour(call: Invocation) -> str:
    if call.is_colour_forbidden:
        return "--no-color"
    if os.environ.get("FORCE_COLOR") == "0":
        return "FORCE_COLOR=0"
    return "NO_COLOR is set" if os.environ.get("NO_COLOR") else "TERM says so"


def mend(call: Invocation, findings: Sequence[Finding]) -> list[str]:
    """Do what is safe; what was done, in words. What could not be done is told at once."""
    done, failed = repair_all(findings, call.home, lambda name: _sweep(call.home.stack(name)))
    for words in failed:
        call.show(message_lines(words, hint=""))
    return done


def _sweep(paths: StackPaths) -> list[str]:
    """End what is left of a stack, with its files; what that was, in words."""
    paths.ensure()
    swept = sweep(paths)
    words = [
        f"ended PID {each['pid']} of stack {paths.name}: {each.get('key') or each.get('command')}"
        for each in swept["processes"]
    ]
    words += [swept["engine"]] if swept.get("engine") else []
    words += [f"removed {socket}" for socket in swept["sockets"]]
    words += [f"removed the plan of stack {paths.name}"] if swept["plan"] else []
    return words
