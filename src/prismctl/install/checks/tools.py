"""Nomad, Consul and Podman: where they are, and whether they are what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.files.text import name_for_people
from prismctl.install.checks.finding import Finding, State
from prismctl.install.existing import look_for_all
from prismctl.install.tools import TOOLS

if TYPE_CHECKING:
    from prismctl.install.checks.surroundings import Surroundings
    from prismctl.install.existing import Existing
    from prismctl.install.tools import Tool

_INSTALL: Final = "prismctl dev init"


async def check_tools(surroundings: Surroundings) -> tuple[Finding, ...]:
    """Every tool, all asked at once."""
    found = await look_for_all(TOOLS.values(), surroundings.home.tools, surroundings.environment)
    return tuple(judge_tool(tool, found[tool.name]) for tool in TOOLS.values())


def judge_tool(tool: Tool, existing: Existing | None) -> Finding:
    """Whether a tool will do; one that is missing is no problem, since the local engine needs none.

    Args:
        tool: that is judged.
        existing: the program that a start would use; ``None``: there is none.
    """
    if existing is None:
        return Finding(
            name=tool.name,
            title=tool.title,
            state=State.WARNING if tool.is_required else State.FINE,
            detail="not installed; the local engine runs stacks without it"
            if tool.is_required
            else "not installed; services run as programs of this machine",
            fix=_INSTALL if tool.is_required else "",
        )
    title = tool.title if existing.version is None else f"{tool.title} {existing.version}"
    if existing.is_usable:
        return Finding(
            name=tool.name,
            title=title,
            state=State.FINE,
            detail=f"{name_for_people(existing.path)}, {existing.origin}",
        )
    return Finding(
        name=tool.name,
        title=title,
        # A start takes the tool that is found, whatever it is.
        state=State.PROBLEM if tool.is_required else State.WARNING,
        detail=f"{existing.problem} ({existing.origin})",
        fix=f"{_INSTALL}   (installs {tool.title} {tool.version} for prismctl alone)"
        if tool.is_required
        else existing.hint.replace("`", ""),
    )
