"""Plans what `clean` removes: what prismctl knows to be its own, and nothing else; looks, and touches nothing."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.catalog import SCHEMA_FILE_NAME
from prismctl.files.paths import is_short_place
from prismctl.files.profiles import SUFFIX as PROFILE_SUFFIX
from prismctl.install.closing import holds_more
from prismctl.install.manifest import Manifest, read_manifest
from prismctl.install.package_managers.removal import can_remove
from prismctl.install.provider import ProviderName
from prismctl.install.removing import measure
from prismctl.install.tools import TOOLS
from prismctl.machine import tools_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.manifest import InstalledPackages

NOT_OURS: Final = "not made by prismctl"
WITH_ALL: Final = "`--all` removes it"

_STATE: Final = {
    "cache": "cache",
    "downloads": "what was being installed",
    "crashes": "tracebacks",
}
"""Names in home that go with every clean, and what they are."""
_SETTINGS: Final = {
    "services.yaml": "catalog",
    SCHEMA_FILE_NAME: "catalog's schema",
    "config.yaml": "settings",
}
_TEMPORARY: Final = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{8}")
"""What a write that was killed leaves: the file's name, a PID and some random letters."""
_PROGRAM: Final = re.compile(rf"(?:{'|'.join(TOOLS)})-\d+\.\d+\.\d+")
_IMAGE: Final = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


class Kind(StrEnum):
    """What a path is there for."""

    STATE = "state"
    TOOL = "tool"
    SETTING = "setting"
    BOOKKEEPING = "bookkeeping"


class Removal(StrEnum):
    """How a path is removed."""

    TREE = "tree"
    """With all that is in it."""
    LOCK = "lock"
    """Unless somebody holds it."""
    EMPTY = "empty"
    """Unless something is in it by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A path to be removed, with all that is in it; of a link, the link."""

    path: Path
    kind: Kind
    what: str
    """What it is, in words."""
    size_bytes: int
    stack: str = ""
    """The stack it belongs to, which must have stopped before."""
    removal: Removal = Removal.TREE


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A path that stays, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningPlan:
    """What `clean` would do in one home."""

    stacks: tuple[str, ...] = ()
    """Every stack the home has, running or not."""
    targets: tuple[Target, ...] = ()
    """In the order in which they go."""
    last: tuple[Target, ...] = ()
    """What goes when nothing else is left that it accounts for."""
    emptied: tuple[Path, ...] = ()
    """Directories that go once they are empty, in this order; home is the last one."""
    images: tuple[str, ...] = ()
    packages: tuple[InstalledPackages, ...] = ()
    kept: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()
    """What else somebody may want to know."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.targets or self.last or self.images or self.packages)

    @property
    def size_bytes(self) -> int:
        """What removing the paths frees."""
        return sum(target.size_bytes for target in (*self.targets, *self.last))


def plan_cleaning(
    home: Home, *, manifest: Manifest | None, environment: Mapping[str, str]
) -> CleaningPlan:
    """What would be removed from a home, and what would stay.

    Args:
        home: to be cleaned.
        manifest: of everything else that goes as well; ``None``: tools, catalog, profiles and settings stay.
        environment: says where tools are that were built for this machine.

    Raises:
        PrismError: home cannot be read, or is a place that must not be cleaned.
    """
    refuse_dangerous(home)
    try:
        paths = sorted(home.directory.iterdir())
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise PrismError(f"cannot read {home.directory}: {error.strerror}") from error
    created = (manifest or _read_leniently(home)).created
    plan = _plan_home(home, paths, created=created, is_all=manifest is not None)
    return plan if manifest is None else _with_manifest(plan, home, manifest, environment)


def refuse_dangerous(home: Home) -> None:
    """Names such as ``bin`` and ``downloads`` are ours only in a directory that is home to nothing else.

    Raises:
        PrismError: home is the system's, the user's own home directory, or one above it.
    """
    if holds_more(home.directory):
        raise PrismError(
            f"{home.directory} holds more than a Prism home: it is not cleaned",
            hint="`unset PRISM_HOME`, or point it at a directory of its own",
        )


def find_stacks(home: Home) -> tuple[str, ...]:
    """The stacks that a home has, running or not."""
    try:
        return tuple(sorted(each.name for each in home.stacks.iterdir() if each.is_dir()))
    except OSError:
        return ()


def find_short_place(paths: StackPaths) -> Path | None:
    """Where a stack's sockets are outside of home; ``None`` when they are not, or that is not ours to remove."""
    place = paths.socket_directory
    if place.parent == paths.directory or not is_short_place(place, paths.directory):
        return None
    try:
        status = place.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return place if is_ours else None


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


def _read_leniently(home: Home) -> Manifest:
    """The manifest, for words only: what cannot be read says nothing."""
    try:
        return read_manifest(home)
    except PrismError:
        return Manifest()


def _plan_home(
    home: Home, paths: Iterable[Path], *, created: Collection[str], is_all: bool
) -> CleaningPlan:
    targets: list[Target] = []
    last: list[Target] = []
    kept: list[Kept] = []
    for path in paths:
        if path == home.stacks:
            found, strange = _plan_stacks(home)
            targets += found
            kept += strange
        elif what := _state_of(path.name, home):
            targets.append(_target(path, Kind.STATE, what))
        elif path == home.init_lock:
            last.append(_target(path, Kind.BOOKKEEPING, "lock of init"))
        elif why := _why_kept(path, {*created, *_kept_names(home)}, home, is_all=is_all):
            kept.append(Kept(path=path, why=why))
        elif path == home.manifest:
            last.insert(0, _target(path, Kind.BOOKKEEPING, "manifest"))
        elif path == home.profiles:
            found, strange = _plan_profiles(path)
            targets += found
            kept += strange
        elif path != home.tools:
            targets.append(_target(path, Kind.SETTING, _SETTINGS[path.name]))
    emptied = (home.stacks, *((home.profiles, home.tools) if is_all else ()))
    targets += _empty_targets(emptied, "empty directory")
    # What is left of a clean that was killed just before its end.
    last += _empty_targets((home.directory,), "empty home")
    return CleaningPlan(
        stacks=find_stacks(home),
        targets=tuple(targets),
        last=tuple(last),
        emptied=(*emptied, home.directory),
        kept=tuple(kept),
    )


def _empty_targets(directories: Iterable[Path], what: str) -> list[Target]:
    return [
        replace(_target(each, Kind.STATE, what), removal=Removal.EMPTY)
        for each in directories
        if _is_empty(each)
    ]


def _state_of(name: str, home: Home) -> str:
    """What a name in home is that goes with every clean; empty for every other name."""
    if _is_temporary(name, {*_SETTINGS, home.manifest.name, *_STATE}):
        return "a write that was cut short"
    return _STATE.get(name, "")


def _why_kept(path: Path, ours: Collection[str], home: Home, *, is_all: bool) -> str:
    """Why something in home stays; empty: it goes."""
    if is_all:
        return "" if path.name in _kept_names(home) else NOT_OURS
    return WITH_ALL if path.name in ours else NOT_OURS


def _kept_names(home: Home) -> set[str]:
    """The names in home that stay without ``--all``."""
    return {*_SETTINGS, *(each.name for each in (home.profiles, home.tools, home.manifest))}


def _plan_stacks(home: Home) -> tuple[list[Target], list[Kept]]:
    if home.stacks.is_symlink():
        return [_target(home.stacks, Kind.STATE, "link to the stacks' state")], []
    targets = []
    strange = []
    for path in sorted(home.stacks.iterdir()):
        if not path.is_dir():
            strange.append(Kept(path=path, why=NOT_OURS))
            continue
        paths = home.stack(path.name)
        place = find_short_place(paths)
        # Before the directory, which alone knows where they are.
        if place is not None:
            targets.append(
                _target(place, Kind.STATE, f"sockets of stack {path.name}", stack=path.name)
            )
        targets.append(_target(path, Kind.STATE, f"stack {path.name}", stack=path.name))
    return targets, strange


def _plan_profiles(directory: Path) -> tuple[list[Target], list[Kept]]:
    if directory.is_symlink() or not directory.is_dir():
        return [_target(directory, Kind.SETTING, "link to the profiles")], []
    targets = []
    strange = []
    for path in sorted(directory.iterdir()):
        temporary = _TEMPORARY.fullmatch(path.name)
        name = temporary["name"] if temporary else path.name
        if name.endswith(PROFILE_SUFFIX) and not (path.is_dir() and not path.is_symlink()):
            targets.append(_target(path, Kind.SETTING, "profile"))
        else:
            strange.append(Kept(path=path, why=NOT_OURS))
    return targets, strange


def _with_manifest(
    plan: CleaningPlan, home: Home, manifest: Manifest, environment: Mapping[str, str]
) -> CleaningPlan:
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


def _plan_tools(home: Home, manifest: Manifest) -> tuple[list[Target], list[Kept]]:
    if home.tools.is_symlink():
        return [_target(home.tools, Kind.TOOL, "link to the tools")], []
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
        if is_link and (path.name in names or _is_temporary(path.name, names)):
            links.append(_target(path, Kind.TOOL, "name of the version in use"))
        elif path.name in files or _PROGRAM.fullmatch(path.name):
            programs.append(_target(path, Kind.TOOL, "program"))
        else:
            strange.append(Kept(path=path, why=NOT_OURS))
    # No name shall ever mean a program that has gone already.
    return [*links, *programs], strange


def _plan_created(
    home: Home, manifest: Manifest, built_tools: Path
) -> tuple[list[Target], list[Kept], list[Path]]:
    """What the manifest has by path: what of it goes, what must not, and the directories it was made in."""
    known = {*_STATE, *_kept_names(home), home.init_lock.name, home.stacks.name}
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
            targets.append(_target(path, Kind.TOOL, "made for this home"))
        lock = _lock_of(path)
        if root == built_tools and lock.is_file() and not lock.is_symlink():
            found = _target(lock, Kind.TOOL, "lock of builders")
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


def _is_empty(directory: Path) -> bool:
    try:
        return not directory.is_symlink() and not any(directory.iterdir())
    except OSError:
        return False


def _is_temporary(name: str, of: Iterable[str]) -> bool:
    found = _TEMPORARY.fullmatch(name)
    return found is not None and found["name"] in {*of}


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _target(path: Path, kind: Kind, what: str, *, stack: str = "") -> Target:
    return Target(path=path, kind=kind, what=what, size_bytes=measure(path), stack=stack)
