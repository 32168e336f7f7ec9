"""What still runs of a stack that nobody looks after any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.files.container_tool import recall_tool
from prismctl.install.checks.marked import find_marked, find_own_line
from prismctl.machine.containers import list_containers

if TYPE_CHECKING:
    from prismctl.files.paths import Home, StackPaths
    from prismctl.machine.containers import MarkedContainer

_MOST_NAMED: Final = 3
"""So many processes are named; the others are counted."""


def find_left_containers(paths: StackPaths) -> list[MarkedContainer]:
    """Its containers, running or not; nothing is asked where it never had any.

    Raises:
        PrismError: Podman or Docker cannot tell.
    """
    tool = recall_tool(paths)
    return [] if tool is None else list_containers(tool, paths.keeper_id)


def describe_left(home: Home, paths: StackPaths) -> list[str]:
    """Everything of it that is there, in words: containers, then processes.

    Raises:
        PrismError: Podman or Docker cannot tell of its containers.
    """
    found = find_marked(home, {paths.keeper_id: paths.name}).values()
    spared = find_own_line()
    processes = [each for each in found if each.stack == paths.name and each.pid not in spared]
    words = [f"container {each.name} ({each.status})" for each in find_left_containers(paths)]
    words += [f"PID {each.pid} ({each.command})" for each in processes[:_MOST_NAMED]]
    more = len(processes) - _MOST_NAMED
    if more > 0:
        words.append(f"{more} more {'process' if more == 1 else 'processes'}")
    return words
