"""Home: whose it is, who can look into it, whether its parts are there, and which prismctl wrote it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.text import name_for_people
from prismctl.install.checks.finding import Finding, Repair, RepairKind, State
from prismctl.install.manifest import read_manifest

if TYPE_CHECKING:
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.checks.surroundings import Surroundings

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryFacts:
    """Home's directory itself, or where it will be."""

    path: Path
    mode: int | None
    """Its permissions; ``None``: there is none yet."""
    is_directory: bool = True
    owner: str = ""
    """Empty: it is ours."""
    is_writable: bool = True
    """By this process; of a home that is not there, the directory in which it will be made."""
    blocked_at: Path | None = None
    """What keeps it from being made or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """Files that hold tokens and passwords."""

    count: int
    open_to_others: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutFacts:
    """What the manifest says, and whether home is so."""

    is_there: bool
    """Whether there is a home at all."""
    complaint: str = ""
    """Why the manifest cannot be used."""
    hint: str = ""
    wrong_links: tuple[str, ...] = ()
    """Names in ``bin`` that mean another version than the manifest says."""
    lost_tools: tuple[str, ...] = ()
    """Files in ``bin`` that the manifest names and that are gone."""
    incomplete_stacks: tuple[str, ...] = ()
    """Stacks that lack directories."""


def gather_directory(surroundings: Surroundings) -> DirectoryFacts:
    """Home as ``stat`` sees it."""
    path = surroundings.home.directory
    try:
        status = path.stat()
    except FileNotFoundError:
        above = next((each for each in path.parents if each.exists()), Path("/"))
        can_make = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        return DirectoryFacts(
            path=path, mode=None, is_writable=can_make, blocked_at=None if can_make else above
        )
    except OSError:
        return DirectoryFacts(path=path, mode=None, is_writable=False, blocked_at=path.parent)
    can_write = os.access(path, os.W_OK | os.X_OK | os.R_OK)
    return DirectoryFacts(
        path=path,
        mode=stat.S_IMODE(status.st_mode),
        is_directory=stat.S_ISDIR(status.st_mode),
        owner="" if status.st_uid == os.getuid() else _name_user(status.st_uid),
        is_writable=can_write,
        blocked_at=None if can_write else path,
    )


def gather_secrets(surroundings: Surroundings) -> SecretFacts:
    """Every file with a secret in it, of every stack."""
    files = [
        path
        for stack in surroundings.stacks
        for path in list_secrets(stack.paths)
        # What a link leads to may be anybody's.
        if path.is_file() and not path.is_symlink()
    ]
    return SecretFacts(
        count=len(files),
        open_to_others=tuple(path for path in files if _mode(path) & _OTHERS),
    )


def list_secrets(paths: StackPaths) -> list[Path]:
    """Where a stack keeps tokens and passwords."""
    found = [paths.plan, paths.state]
    for directory, pattern in ((paths.environments, "*"), (paths.agents, "*.json")):
        try:
            found += sorted(directory.glob(pattern))
        except OSError:
            continue
    return found


def gather_layout(surroundings: Surroundings) -> LayoutFacts:
    """The manifest beside what is on the disk."""
    home = surroundings.home
    incomplete = tuple(
        stack.paths.name for stack in surroundings.stacks if _lacks_directories(stack.paths)
    )
    is_there = home.directory.is_dir()
    try:
        tools = read_manifest(home).tools
    except PrismError as error:
        return LayoutFacts(
            is_there=is_there,
            complaint=error.message,
            hint=error.hint,
            incomplete_stacks=incomplete,
        )
    current = {name: history.current for name, history in tools.items() if history.current}
    lost = tuple(file for file in current.values() if not (home.tools / file).is_file())
    wrong = tuple(
        name for name, file in current.items() if file not in lost and _target(home, name) != file
    )
    return LayoutFacts(
        is_there=is_there, wrong_links=wrong, lost_tools=lost, incomplete_stacks=incomplete
    )


def _lacks_directories(paths: StackPaths) -> bool:
    own = (paths.logs, paths.data, paths.environments, paths.agents, paths.socket_directory)
    try:
        return paths.socket_pointer.exists() and not all(each.is_dir() for each in own)
    except OSError:
        return False


def _target(home: Home, name: str) -> str:
    try:
        return str((home.tools / name).readlink())
    except OSError:
        return ""


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _name_user(user_id: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def judge_directory(facts: DirectoryFacts) -> tuple[Finding, ...]:
    """Whether home is ours, can be written, and is closed to others."""
    shown = name_for_people(facts.path)
    obstacle = _describe_obstacle(facts, shown)
    if obstacle:
        return (_home(State.PROBLEM, obstacle, "set PRISM_HOME to a directory of yours"),)
    if facts.mode is None:
        return (_home(State.FINE, f"{shown} is not there yet; the first start makes it"),)
    if facts.mode & _OTHERS:
        is_dangerous = bool(facts.mode & _OTHERS_WRITE)
        danger = "others can put programs into it" if is_dangerous else "others can look into it"
        return (
            _home(
                State.PROBLEM if is_dangerous else State.WARNING,
                f"{shown} has mode {facts.mode:04o}: {danger}",
                f"chmod 700 {facts.path}",
                Repair(kind=RepairKind.CLOSE, paths=(facts.path,)),
            ),
        )
    return (_home(State.FINE, f"{shown}, mode {facts.mode:04o}"),)


def _describe_obstacle(facts: DirectoryFacts, shown: str) -> str:
    """Why home cannot be used, in words; empty when it can."""
    if not facts.is_directory:
        return f"{shown} is not a directory"
    if facts.owner:
        return f"{shown} belongs to {facts.owner}"
    if facts.is_writable:
        return ""
    if facts.mode is None:
        where = name_for_people(facts.blocked_at or facts.path)
        return f"{shown} cannot be made: {where} cannot be written"
    return f"{shown} cannot be written (mode {facts.mode:04o})"


def judge_secrets(facts: SecretFacts) -> tuple[Finding, ...]:
    """Whether tokens and passwords are closed to others."""
    if not facts.open_to_others:
        files = "file" if facts.count == 1 else "files"
        return (_secrets(State.FINE, f"{facts.count} {files} with secrets, closed to others"),)
    first, *rest = facts.open_to_others
    more = f" and {len(rest)} more" if rest else ""
    command = " ".join(["chmod go=", *(str(path) for path in facts.open_to_others)])
    return (
        _secrets(
            State.PROBLEM,
            f"{name_for_people(first)}{more} can be read or written by others",
            command,
            Repair(kind=RepairKind.CLOSE, paths=facts.open_to_others),
        ),
    )


def judge_layout(facts: LayoutFacts) -> tuple[Finding, ...]:
    """Whether what was installed is there and in use, and stacks have their directories."""
    return (*_judge_manifest(facts), *_judge_stacks(facts))


def _judge_manifest(facts: LayoutFacts) -> list[Finding]:
    if facts.complaint:
        return [_layout(State.PROBLEM, facts.complaint, facts.hint)]
    if facts.lost_tools:
        lost = ", ".join(facts.lost_tools)
        return [_layout(State.WARNING, f"installed and gone again: {lost}", "prismctl dev init")]
    if facts.wrong_links:
        names = ", ".join(facts.wrong_links)
        return [
            _layout(
                State.WARNING,
                f"in bin, {names} is not the version that was installed last",
                "prismctl dev doctor --fix",
                Repair(kind=RepairKind.LINK),
            )
        ]
    words = "what was installed is in use" if facts.is_there else "nothing was installed yet"
    return [_layout(State.FINE, words)]


def _judge_stacks(facts: LayoutFacts) -> list[Finding]:
    if not facts.incomplete_stacks:
        return []
    names = ", ".join(facts.incomplete_stacks)
    return [
        Finding(
            name="directories",
            title="directories",
            state=State.WARNING,
            detail=f"directories of stack {names} are missing",
            fix="prismctl dev doctor --fix",
            repair=Repair(kind=RepairKind.MAKE, stacks=facts.incomplete_stacks),
        )
    ]


def _home(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(name="home", title="home", state=state, detail=detail, fix=fix, repair=repair)


def _secrets(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(
        name="secrets", title="secrets", state=state, detail=detail, fix=fix, repair=repair
    )


def _layout(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(
        name="installation",
        title="installation",
        state=state,
        detail=detail,
        fix=fix,
        repair=repair,
    )
