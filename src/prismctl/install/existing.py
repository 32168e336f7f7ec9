"""What is on this machine already: each tool with its version, and whether that will do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.asking_versions import ask_version
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.install.tools import Tool, ToolName
    from prismctl.install.versions import Version

VERSION_PATIENCE_SECONDS: Final = 5.0
"""How long a program may take to say its version; one that works takes a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """A program that has a tool's name."""

    path: Path
    origin: str
    """Where it came from, in words."""
    version: Version | None = None
    """``None``: it did not say."""
    problem: str = ""
    """Why it will not do, in words; empty when it will."""
    hint: str = ""
    """What to do about the problem, where more is known than that another version is wanted."""

    @property
    def is_usable(self) -> bool:
        """Whether the tool need not be installed."""
        return not self.problem


async def look_for(
    tool: Tool,
    home_tools: Path,
    environment: Mapping[str, str],
    *,
    patience_seconds: float = VERSION_PATIENCE_SECONDS,
) -> Existing | None:
    """The program that a start would use for a tool; ``None``: there is none."""
    found = await asyncio.to_thread(find_tool, tool.name, home_tools, environment)
    if found is None:
        return None
    path = Path(found.path)
    try:
        version = await ask_version(
            path,
            tool.version_arguments,
            timeout_seconds=patience_seconds,
            title=tool.title,
        )
    except PrismError as error:
        return Existing(path=path, origin=found.origin, problem=error.message, hint=error.hint)
    problem = ""
    if version not in tool.supported:
        age = "too old" if version < tool.supported.first else "too new"
        problem = f"{tool.title} {version} at {path} is {age}: {tool.supported} is supported"
    return Existing(path=path, origin=found.origin, version=version, problem=problem)


async def look_for_all(
    tools: Iterable[Tool], home_tools: Path, environment: Mapping[str, str]
) -> dict[ToolName, Existing | None]:
    """Every tool, all asked at once."""
    wanted = list(tools)
    found = await asyncio.gather(*(look_for(tool, home_tools, environment) for tool in wanted))
    return {tool.name: each for tool, each in zip(wanted, found, strict=True)}
