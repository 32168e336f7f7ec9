"""Takes away the containers of a stack, found by their label: those that outlived whoever kept them."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.containers import PODMAN
from prismctl.errors import PrismError
from prismctl.files.container_tool import recall_tool
from prismctl.machine.containers import call_tool, list_containers

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

SWEEP_SECONDS: Final = 60.0
"""How long the removal of containers may take."""


def let_containers_go_on(paths: StackPaths) -> None:
    """End the pause of every container of this stack: one that is paused does not notice what ends it.

    One that cannot be let go on is left to whoever ends it.
    """
    tool = recall_tool(paths)
    if tool is None:
        return
    with contextlib.suppress(PrismError):
        found = list_containers(tool, paths.keeper_id, seconds=SWEEP_SECONDS)
        paused = [each.number for each in found if "paused" in each.status.lower()]
        if paused:
            call_tool(tool, "unpause", *paused, seconds=SWEEP_SECONDS)


def sweep_containers(paths: StackPaths) -> list[dict[str, Any]]:
    """Remove every container that carries the mark of this stack's keeper; what it was, as ``id`` and ``name``.

    Without containers ever, nothing is asked.

    Raises:
        PrismError: they cannot be removed.
    """
    tool = recall_tool(paths)
    if tool is None:
        return []
    found = list_containers(tool, paths.keeper_id, seconds=SWEEP_SECONDS)
    if found:
        at_once = ("--time", "0") if tool.kind == PODMAN else ()
        numbers = [each.number for each in found]
        words = ("rm", "--force", "--volumes", *at_once, *numbers)
        try:
            call_tool(tool, *words, seconds=SWEEP_SECONDS)
        except PrismError:
            # One that is just ending by itself is in no state that they know how to remove.
            if list_containers(tool, paths.keeper_id, seconds=SWEEP_SECONDS):
                call_tool(tool, *words, seconds=SWEEP_SECONDS)
    return [{"id": each.number, "name": each.name} for each in found]


def forget_containers(paths: StackPaths) -> None:
    """There are none any more, and nothing will be asked about them."""
    with contextlib.suppress(OSError):
        shutil.rmtree(paths.containers)
