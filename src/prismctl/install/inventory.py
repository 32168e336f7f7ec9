"""Every tool a stack can use here: its version, where it is, who brought it, and whether it will do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.install.existing import look_for_all
from prismctl.install.go_build import find_go
from prismctl.install.manifest import Manifest, read_manifest
from prismctl.install.tools import TOOLS
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.existing import Existing
    from prismctl.install.go_build import Go
    from prismctl.install.manifest import InstalledTool
    from prismctl.install.tools import Tool, ToolName


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """One tool as it is on this machine."""

    name: str
    version: str = ""
    """Empty: it is not there, or did not say."""
    path: str = ""
    """Empty: it is not there."""
    origin: str = ""
    """Where it was found, in words."""
    provider: str = ""
    """Who brought it: a provider's name, ``path`` for what was there; empty: it is not there."""
    source: str = ""
    """What the provider took it from: a URL, a Go module; empty where that is not known."""
    wanted: str = ""
    """The versions that work, in words; empty: any does."""
    problem: str = ""
    """Why it will not do, in words; empty when it will, and when it is not there."""

    @property
    def is_supported(self) -> bool | None:
        """Whether it will do; ``None``: it is not there."""
        return not self.problem if self.path else None


async def take_inventory(
    home: Home, environment: Mapping[str, str]
) -> tuple[tuple[InventoryEntry, ...], str]:
    """Nomad, Consul and Podman, and Go where it builds them, all asked at once; and what the manifest's damage is.

    Args:
        home: whose ``bin`` comes first.
        environment: says where other tools are.
    """
    # Cheap beside starting programs, and a damaged one must not hide what there is.
    manifest, complaint = await asyncio.to_thread(_read_manifest, home)
    found, go = await asyncio.gather(
        look_for_all(TOOLS.values(), home.tools, environment), find_go(environment)
    )
    built_tools = tools_directory(environment)
    entries = [
        describe(tool, found[tool.name], manifest, home, built_tools) for tool in TOOLS.values()
    ]
    if go is not None and any(entry.provider == "go" for entry in entries):
        entries.append(_describe_go(go))
    return tuple(entries), complaint


def describe(
    tool: Tool, existing: Existing | None, manifest: Manifest, home: Home, built_tools: Path
) -> InventoryEntry:
    """What is known of a tool from the program that was found and from the manifest.

    Args:
        tool: that was looked for.
        existing: what was found.
        manifest: of the home.
        home: whose ``bin`` it may be in.
        built_tools: where tools are that were built for this machine.
    """
    wanted = str(tool.supported)
    if existing is None:
        return InventoryEntry(name=tool.name, wanted=wanted)
    installed = _find_installed(tool.name, existing.path, manifest, home)
    provider = installed.provider if installed else "path"
    if installed is None and existing.path.parent == built_tools:
        provider = "go"
    return InventoryEntry(
        name=tool.name,
        version=str(existing.version or ""),
        path=str(existing.path),
        origin=existing.origin,
        provider=provider,
        source=installed.source if installed else "",
        wanted=wanted,
        problem=existing.problem,
    )


def _find_installed(
    name: ToolName, path: Path, manifest: Manifest, home: Home
) -> InstalledTool | None:
    """What the manifest has of the program that a name in ``bin`` means."""
    history = manifest.tools.get(name)
    if history is None or path.parent != home.tools:
        return None
    try:
        file = str(path.readlink())
    except OSError:
        return None
    return next((each for each in history.installed if each.file == file), None)


def _describe_go(go: Go) -> InventoryEntry:
    return InventoryEntry(
        name="go",
        version=str(go.version),
        path=str(go.path),
        origin="on PATH",
        provider="path",
    )


def _read_manifest(home: Home) -> tuple[Manifest, str]:
    try:
        return read_manifest(home), ""
    except PrismError as error:
        return Manifest(), error.message
