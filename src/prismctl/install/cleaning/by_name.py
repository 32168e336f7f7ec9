"""What goes with a clean by its name in home: state, and with ``--all`` settings and profiles."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from prismctl.files.catalog import SCHEMA_FILE_NAME
from prismctl.files.paths import is_short_place
from prismctl.files.profile_schema import SCHEMA_FILE_NAME as PROFILE_SCHEMA_NAME
from prismctl.files.profiles import SUFFIX as PROFILE_SUFFIX
from prismctl.install.cleaning.targets import (
    NOT_OURS,
    WITH_ALL,
    CleaningPlan,
    Kept,
    Kind,
    Removal,
    Target,
    make_target,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from prismctl.files.paths import Home, StackPaths

_STATE: Final = {
    "cache": "cache",
    "downloads": "what was being installed",
    "crashes": "tracebacks",
    "history.db.damaged": "damaged history",
}
"""Names in home that go with every clean, and what they are."""
_OWN_WORK: Final = {
    "services.yaml": "catalog",
    SCHEMA_FILE_NAME: "catalog's schema",
    "config.yaml": "settings",
    "snapshots": "snapshots of data",
    "history.db": "history of starts",
    "history.db-journal": "history's journal",
}
"""Names in home that hold what somebody made on purpose, or what took many starts to learn; they go only with ``--all``."""
_TEMPORARY: Final = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{8}")
"""What a write that was killed leaves: the file's name, a PID and some random letters."""


def plan_by_name(
    home: Home, paths: Iterable[Path], *, created: Collection[str], is_all: bool
) -> CleaningPlan:
    """What goes by its name in home alone.

    Args:
        home: to be cleaned.
        paths: that are in it.
        created: what its manifest says was made for it.
        is_all: whether catalog, profiles and settings go as well.
    """
    targets: list[Target] = []
    last: list[Target] = []
    kept: list[Kept] = []
    for path in paths:
        if path == home.stacks:
            found, strange = _plan_stacks(home)
            targets += found
            kept += strange
        elif what := _state_of(path.name, home):
            targets.append(make_target(path, Kind.STATE, what))
        elif path == home.init_lock:
            last.append(make_target(path, Kind.BOOKKEEPING, "lock of init"))
        elif why := _why_kept(path, {*created, *_kept_names(home)}, home, is_all=is_all):
            kept.append(Kept(path=path, why=why))
        elif path == home.manifest:
            last.insert(0, make_target(path, Kind.BOOKKEEPING, "manifest"))
        elif path == home.profiles:
            found, strange = _plan_profiles(path)
            targets += found
            kept += strange
        elif path != home.tools:
            targets.append(make_target(path, Kind.SETTING, _OWN_WORK[path.name]))
    emptied = (home.stacks, *((home.profiles, home.tools) if is_all else ()))
    targets += _empty_targets(emptied, "empty directory")
    # What is left of a clean that was killed just before its end.
    last += _empty_targets((home.directory,), "empty home")
    return CleaningPlan(
        stacks=_find_stacks(home),
        targets=tuple(targets),
        last=tuple(last),
        emptied=(*emptied, home.directory),
        kept=tuple(kept),
    )


def known_names(home: Home) -> set[str]:
    """Every name in home that means something."""
    return {*_STATE, *_kept_names(home), home.init_lock.name, home.stacks.name}


def is_temporary(name: str, of: Iterable[str]) -> bool:
    """Whether a name is what a write of one of these leaves that was cut short."""
    found = _TEMPORARY.fullmatch(name)
    return found is not None and found["name"] in {*of}


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


def _find_stacks(home: Home) -> tuple[str, ...]:
    """The stacks that a home has, running or not."""
    try:
        return tuple(sorted(each.name for each in home.stacks.iterdir() if each.is_dir()))
    except OSError:
        return ()


def _empty_targets(directories: Iterable[Path], what: str) -> list[Target]:
    return [
        replace(make_target(each, Kind.STATE, what), removal=Removal.EMPTY)
        for each in directories
        if _is_empty(each)
    ]


def _state_of(name: str, home: Home) -> str:
    """What a name in home is that goes with every clean; empty for every other name."""
    if is_temporary(name, {*_OWN_WORK, home.manifest.name, *_STATE}):
        return "a write that was cut short"
    return _STATE.get(name, "")


def _why_kept(path: Path, ours: Collection[str], home: Home, *, is_all: bool) -> str:
    """Why something in home stays; empty: it goes."""
    if is_all:
        return "" if path.name in _kept_names(home) else NOT_OURS
    return WITH_ALL if path.name in ours else NOT_OURS


def _plan_stacks(home: Home) -> tuple[list[Target], list[Kept]]:
    if home.stacks.is_symlink():
        return [make_target(home.stacks, Kind.STATE, "link to the stacks' state")], []
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
                make_target(place, Kind.STATE, f"sockets of stack {path.name}", stack=path.name)
            )
        targets.append(make_target(path, Kind.STATE, f"stack {path.name}", stack=path.name))
    return targets, strange


def _plan_profiles(directory: Path) -> tuple[list[Target], list[Kept]]:
    if directory.is_symlink() or not directory.is_dir():
        return [make_target(directory, Kind.SETTING, "link to the profiles")], []
    targets = []
    strange = []
    for path in sorted(directory.iterdir()):
        temporary = _TEMPORARY.fullmatch(path.name)
        name = temporary["name"] if temporary else path.name
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and name == PROFILE_SCHEMA_NAME:
            targets.append(make_target(path, Kind.SETTING, "profiles' schema"))
        elif is_file and name.endswith(PROFILE_SUFFIX):
            targets.append(make_target(path, Kind.SETTING, "profile"))
        else:
            strange.append(Kept(path=path, why=NOT_OURS))
    return targets, strange


def _kept_names(home: Home) -> set[str]:
    """The names in home that stay without ``--all``."""
    return {*_OWN_WORK, *(each.name for each in (home.profiles, home.tools, home.manifest))}


def _is_empty(directory: Path) -> bool:
    try:
        return not directory.is_symlink() and not any(directory.iterdir())
    except OSError:
        return False
