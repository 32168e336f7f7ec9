"""Nomad, Consul and Podman: where they are, and whether they are what is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.errors import PrismError
from prismctl.files.text import name_for_people
from prismctl.install.asking_versions import ask_version
from prismctl.install.checks.finding import Finding, State
from prismctl.install.tools import CONSUL, NOMAD, PODMAN
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from prismctl.install.checks.surroundings import Surroundings
    from prismctl.install.tools import Tool
    from prismctl.install.versions import Version

PATIENCE_SECONDS: Final = 5.0
"""How long a program may take to say its version; real ones need a tenth of a second."""
_INSTALL: Final = "prismctl dev init"
_ORDER: Final = (NOMAD, CONSUL, PODMAN)


class ToolFacts(NamedTuple):
    """What there is of a tool."""

    tool: Tool
    path: str = ""
    """Empty: it was not found."""
    origin: str = ""
    """Where it came from, in words."""
    version: Version | None = None
    complaint: str = ""
    """Why it has no version: it hangs, fails, or is another program."""
    hint: str = ""
    """What to do about the complaint."""


async def check_tools(surroundings: Surroundings) -> tuple[Finding, ...]:
    """Every tool, all asked at once."""
    asked = (gather_tool(tool, surroundings) for tool in _ORDER)
    facts = await asyncio.gather(*asked)
    return tuple(judge_tool(each) for each in facts)


async def gather_tool(
    tool: Tool, surroundings: Surroundings, *, patience_seconds: float = PATIENCE_SECONDS
) -> ToolFacts:
    """The tool that a start would use, and what it says of itself."""
    found = find_tool(tool.name, surroundings.home.tools, surroundings.environment)
    if found is None:
        return ToolFacts(tool=tool)
    complaint, hint, version = "", "", None
    try:
        version = await ask_version(
            Path(found.path),
            tool.version_arguments,
            timeout_seconds=patience_seconds,
            title=tool.title,
        )
    except PrismError as error:
        complaint, hint = error.message, error.hint
    return ToolFacts(
        tool=tool,
        path=found.path,
        origin=found.origin,
        version=version,
        complaint=complaint,
        hint=hint,
    )


def judge_tool(facts: ToolFacts) -> Finding:
    """Whether a tool will do; one that is missing is no problem, since the local engine needs none."""
    tool = facts.tool
    place = f"{name_for_people(Path(facts.path))}, {facts.origin}" if facts.path else ""
    if not facts.path:
        return Finding(
            name=tool.name,
            title=tool.title,
            state=State.WARNING if tool.is_required else State.FINE,
            detail="not installed; the local engine runs stacks without it"
            if tool.is_required
            else "not installed; services run as programs of this machine",
            fix=_INSTALL if tool.is_required else "",
        )
    # A start takes the tool that is found, whatever it is.
    bad = State.PROBLEM if tool.is_required else State.WARNING
    if facts.version is None:
        return Finding(
            name=tool.name,
            title=tool.title,
            state=bad,
            detail=f"{facts.complaint} ({facts.origin})",
            fix=_way_out(facts),
        )
    title = f"{tool.title} {facts.version}"
    if facts.version not in tool.supported:
        age = "older" if facts.version < tool.supported.first else "newer"
        return Finding(
            name=tool.name,
            title=title,
            state=bad,
            detail=f"{place}: {age} than what is supported ({tool.supported})",
            fix=_way_out(facts),
        )
    return Finding(name=tool.name, title=title, state=State.FINE, detail=place)


def _way_out(facts: ToolFacts) -> str:
    if not facts.tool.is_required:
        return facts.hint.replace("`", "")
    return f"{_INSTALL}   (installs {facts.tool.title} {facts.tool.version} for prismctl alone)"
