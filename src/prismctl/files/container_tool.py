"""What runs the containers of a stack, written down for whoever has no plan of it any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from prismctl.domain.containers import ContainerTool
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

_NAME: Final = "tool.json"


def remember_tool(paths: StackPaths, tool: ContainerTool) -> None:
    """Write it down.

    Raises:
        PrismError: it cannot be written.
    """
    try:
        paths.containers.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PrismError(f"cannot make {paths.containers}: {error.strerror}") from error
    facts = {"kind": tool.kind, "program": tool.program, "environment": tool.environment}
    write_atomically(paths.containers / _NAME, json.dumps(facts))


def recall_tool(paths: StackPaths) -> ContainerTool | None:
    """What was written down; ``None``: the stack has no containers."""
    try:
        facts = json.loads((paths.containers / _NAME).read_text(encoding="utf-8"))
        return ContainerTool(**facts)
    except (OSError, ValueError, TypeError):
        return None
