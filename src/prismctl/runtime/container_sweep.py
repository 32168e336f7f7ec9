"""Takes away the containers of a stack, found by their label: those that outlived whoever kept them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.containers import PODMAN, ContainerTool
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.runtime.container import KEEPER_LABEL

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import StackPaths

SWEEP_SECONDS: Final = 60.0
"""How long the removal of containers may take."""
_TOOL_FILE: Final = "tool.json"


def remember_tool(paths: StackPaths, tool: ContainerTool) -> None:
    """Write down what runs the containers of a stack, for a sweep that has no plan any more.

    Raises:
        PrismError: it cannot be written.
    """
    try:
        paths.containers.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PrismError(f"cannot make {paths.containers}: {error.strerror}") from error
    facts = {"kind": tool.kind, "program": tool.program, "environment": tool.environment}
    write_atomically(paths.containers / _TOOL_FILE, json.dumps(facts))


def sweep_containers(paths: StackPaths) -> list[dict[str, Any]]:
    """Remove every container that carries the mark of this stack's keeper; what it was, as ``id`` and ``name``.

    Without containers ever, nothing is asked.

    Raises:
        PrismError: they cannot be removed.
    """
    tool = _recall_tool(paths)
    if tool is None:
        return []
    template = "{{.ID}} {{.Names}}"
    mark = f"label={KEEPER_LABEL}={paths.keeper_id}"
    listed = _call(tool, "ps", "--all", "--no-trunc", "--filter", mark, "--format", template)
    found = [
        {"id": number, "name": name}
        for number, _, name in (line.partition(" ") for line in listed.splitlines())
    ]
    if found:
        at_once = ("--time", "0") if tool.kind == PODMAN else ()
        _call(tool, "rm", "--force", "--volumes", *at_once, *(each["id"] for each in found))
    return found


def forget_containers(paths: StackPaths) -> None:
    """There are none any more, and nothing will be asked about them."""
    with contextlib.suppress(OSError):
        shutil.rmtree(paths.containers)


def _recall_tool(paths: StackPaths) -> ContainerTool | None:
    try:
        facts = json.loads(_tool_file(paths).read_text(encoding="utf-8"))
        return ContainerTool(**facts)
    except (OSError, ValueError, TypeError):
        return None


def _tool_file(paths: StackPaths) -> Path:
    return paths.containers / _TOOL_FILE


def _call(tool: ContainerTool, *arguments: str) -> str:
    try:
        done = subprocess.run(
            (tool.program, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **tool.environment, "LC_ALL": "C"},
            cwd="/",
            timeout=SWEEP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PrismError(f"cannot look for containers with {tool.program}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise PrismError(
            f"{tool.title} cannot remove the containers of this stack: {said[-1] if said else done.returncode}",
            hint=f"`{tool.kind} ps --all --filter label={KEEPER_LABEL}` shows them",
        )
    return done.stdout.decode(errors="replace")
