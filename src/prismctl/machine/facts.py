"""What choices on this machine depend on, gathered once and looked at when somebody has to know."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from prismctl.domain.choice import NOMAD_TOOLS, MachineFacts
from prismctl.machine.memory import read_memory_bytes
from prismctl.machine.programs import (
    BINARIES_DIRECTORY,
    find_program,
    find_tool,
    is_program,
    is_safe,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.domain.containers import ContainerFacts


def gather_facts(
    *,
    home_tools: Path,
    project_directory: Path,
    look_for_containers: Callable[[], ContainerFacts],
    read_version: Callable[[str], str | None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> MachineFacts:
    """What choices on this machine depend on.

    Args:
        home_tools: the ``bin`` of the home.
        project_directory: where ``build/binaries`` is looked for.
        look_for_containers: says whether containers can be run; called at most when somebody has to know.
        read_version: says which version a program is; likewise.
        environment: whose PATH counts.
    """
    tools = {name: find_tool(name, home_tools, environment) for name in NOMAD_TOOLS}
    binaries = project_directory / BINARIES_DIRECTORY
    return MachineFacts(
        find_program=lambda name: find_program(name, environment),
        find_binary=lambda name: _find_binary(binaries / name),
        tools={name: tool.path for name, tool in tools.items() if tool is not None},
        look_for_containers=look_for_containers,
        read_version=read_version,
        is_file=os.path.isfile,
        memory_bytes=read_memory_bytes(),
        system=sys.platform,
    )


def _find_binary(path: Path) -> str:
    return str(path) if is_program(path) and is_safe(path, judges_owner=True) else ""
