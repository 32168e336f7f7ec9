"""Which engine is called what; only the one that is used is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.plan import EngineName
from prismctl.errors import MissingToolError, PrismError
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from prismctl.engine.interface import Engine, Readiness, Reporter
    from prismctl.files.paths import StackPaths
    from prismctl.keeper.client import KeeperClient


def make_engine(
    name: EngineName,
    *,
    paths: StackPaths,
    keeper: KeeperClient,
    reporter: Reporter,
    readiness: Readiness,
) -> Engine:
    """An engine that is not open yet.

    Raises:
        MissingToolError: a program it needs is not installed.
        PrismError: it cannot be used here.
    """
    if name is EngineName.LOCAL:
        from prismctl.engine.local.engine import LocalEngine

        return LocalEngine(paths=paths, keeper=keeper, reporter=reporter, readiness=readiness)
    if name is EngineName.NOMAD:
        from prismctl.engine.nomad.engine import NomadEngine
        from prismctl.engine.nomad.tools import NomadTools

        tools = NomadTools(nomad=_find_tool("nomad", paths), consul=_find_tool("consul", paths))
        return NomadEngine(paths, keeper, reporter, readiness, tools)
    raise PrismError(
        f"the {name} engine is not available here",
        hint="`prismctl dev start --engine local` needs nothing installed",
    )


def _find_tool(name: str, paths: StackPaths) -> Path:
    """The program that planning found, by the same rule."""
    found = find_tool(name, paths.directory.parent.parent / "bin")
    if found is None:
        raise MissingToolError(
            f"{name} is not installed",
            hint="`prismctl dev init` installs it; `prismctl dev start --engine local` needs nothing",
        )
    return Path(found.path)
