"""What goes with a clean because the manifest accounts for it, and the account of what is left."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.install.cleaning.by_name import is_temporary, known_names
from prismctl.install.cleaning.targets import (
    NOT_OURS,
    CleaningPlan,
    Kept,
    Kind,
    Removal,
    Target,
    make_target,
)
from prismctl.install.manifest import Manifest
from prismctl.install.package_managers.removal import can_remove
from prismctl.install.provider import ProviderName
from prismctl.install.tools import TOOLS
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.files.paths import Home
    from prismctl.install.manifest import InstalledPackages

_PROGRAM: Final = re.compile(rf"(?:{'|'.join(TOOLS)})-\d+\.\d+\.\d+")
_IMAGE: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


def add_by_manifest(
    plan: CleaningPlan, home: Home, manifest: Manifest, environment: Mapping[str, str]
) -> CleaningPlan:
    """A plan with all that the manifest accounts for.

    Args:
        plan: what goes by its name.
        home: to be cleaned.
        manifest: of that home.
        environment: says where tools are that were built for this machine.
    """
    tools, strange = _plan_tools(home, manifest)
    created, refused, beneath = _plan_created(home, manifest, tools_directory(environment))
    ours = {target.path for target in created}
    # What was made for home may lie in it under a name that is known from the manifest only.
    kept = [
        each
        for each in (*plan.kept, *strange)
        if not any(path.is_relative_to(each.path) for path in ours)
    ]
    partly = [
        Kept(path=each.path, why=NOT_OURS)
        for each in (*plan.kept, *strange)
        if each.path not in ours
        and any(path.is_relative_to(each.path) for path in ours)
        and not set(each.path.iterdir()) <= ours
    ]
    settings = [target for target in plan.targets if target.kind is Kind.SETTING]
    state = [target for target in plan.targets if target.kind is not Kind.SETTING]
    *emptied, directory = plan.emptied
    has_built = any(
        each.provider == ProviderName.GO
        for history in manifest.tools.values()
        for each in history.installed
    )
    note = "Go keeps what it fetched and compiled: `go clean -cache -modcache` frees that"
    return replace(
        plan,
        targets=(*state, *tools, *created, *settings),
        emptied=(*emptied, *beneath, directory),
        images=tuple(each for each in manifest.images if _IMAGE.fullmatch(each)),
        packages=tuple(each for each in manifest.packages if can_remove(each)),
        kept=(*kept, *partly, *refused),
        notes=(note,) if has_built else (),
    )


def what_remains(
    manifest: Manifest,
    home: Home,
    plan: CleaningPlan,
    *,
    packages: Iterable[InstalledPackages],
    images: Iterable[str],
) -> Manifest:
    """The manifest of what should have gone and is still there.

    Args:
        manifest: as it was.
        home: that it is of.
        plan: what should have gone.
        packages: those that stay.
        images: those that stay.
    """
    tools = {}
    for name, history in manifest.tools.items():
        installed = tuple(each for each in history.installed if _exists(home.tools / each.file))
        files = {each.file for each in installed}
        if installed:
            tools[name] = replace(
                history,
                current=history.current if history.current in files else installed[-1].file,
                previous=history.previous if history.previous in files else "",
                installed=installed,
            )
    planned = {target.path for target in plan.targets}
    created = tuple(
        text
        for text in manifest.created
        for path in (_locate(home, text),)
        if any(_exists(each) for each in (path, _lock_of(path)) if each in planned)
    )
    return Manifest(tools=tools, packages=tuple(packages), created=created, images=tuple(images))


def _plan_tools(home: Home, manifest: Manifest) -> tuple[list[Target], list[Kept]]:
    if home.tools.is_symlink():
        return [make_target(home.tools, Kind.TOOL, "link to the tools")], []
    try:
        entries = sorted(home.tools.iterdir())
    except OSError:
        return [], []
    names = {*TOOLS, *manifest.tools}
    files = {each.file for history in manifest.tools.values() for each in history.installed}
    links = []
    programs = []
    strange = []
    for path in entries:
        is_link = path.is_symlink()
        if is_link and (path.name in names or is_temporary(path.name, names)):
            links.append(make_target(path, Kind.TOOL, "name of the version in use"))
        elif path.name in files or _PROGRAM.fullmatch(path.name):
            programs.append(make_target(path, Kind.TOOL, "program"))
        else:
            strange.append(Kept(path=path, why=NOT_OURS))
    # No name shall ever mean a program that has gone already.
    return [*links, *programs], strange


def _plan_created(
    home: Home, manifest: Manifest, built_tools: Path
) -> tuple[list[Target], list[Kept], list[Path]]:
    """What the manifest has by path: what of it goes, what must not, and the directories it was made in."""
    known = known_names(home)
    targets: list[Target] = []
    refused: list[Kept] = []
    beneath: dict[Path, None] = {}
    for text in manifest.created:
        path = _locate(home, text)
        root = next((root for root in (home.directory, built_tools) if root in path.parents), None)
        if root == home.directory and path.parent == root and path.name in known:
            continue
        if root is None and _exists(path):
            refused.append(Kept(path=path, why="neither in home nor among the tools built for it"))
        if root is None:
            continue
        if any(each.is_symlink() for each in _between(root, path)):
            refused.append(Kept(path=path, why="it lies behind a link"))
            continue
        if _exists(path):
            targets.append(make_target(path, Kind.TOOL, "made for this home"))
        lock = _lock_of(path)
        if root == built_tools and lock.is_file() and not lock.is_symlink():
            found = make_target(lock, Kind.TOOL, "lock of builders")
            targets.append(replace(found, removal=Removal.LOCK))
        beneath |= dict.fromkeys(_between(root, path))
    if any(target.path.is_relative_to(built_tools) for target in targets):
        # The one above is ours by its name, or somebody's choice.
        own = (built_tools, built_tools.parent)
        beneath |= dict.fromkeys(each for each in own if each.name in {"tools", "prismctl"})
    deepest_first = sorted(beneath, key=lambda each: len(each.parts), reverse=True)
    return targets, refused, deepest_first


def _locate(home: Home, text: str) -> Path:
    """Where a path of the manifest is; nothing is looked at."""
    return Path(os.path.normpath(home.directory / text))


def _lock_of(built: Path) -> Path:
    """The lock that builders of a program hold."""
    return built.with_name(f".{built.name.partition('-')[0]}.lock")


def _between(root: Path, path: Path) -> list[Path]:
    """The directories from a path up to a root, both left out."""
    return [each for each in path.parents if root in each.parents]


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
