"""Home: whose it is, and who else can look into it and into the secrets in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.accounts import user_name
from prismctl.files.closing import OTHERS, WAY_OUT, find_obstacle
from prismctl.files.text import name_for_people
from prismctl.install.checks.finding import Finding, Repair, RepairKind, State

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths
    from prismctl.install.checks.surroundings import Surroundings

_OTHERS_WRITE: Final = 0o022


class DirectoryFacts(NamedTuple):
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
    obstacle: str = ""
    """Why it must not be closed to others."""


class SecretFacts(NamedTuple):
    """Files that hold tokens and passwords."""

    total: int
    open_to_others: tuple[Path, ...]


def gather_directory(surroundings: Surroundings) -> DirectoryFacts:
    """Home as ``stat`` sees it."""
    path = surroundings.home.directory
    try:
        status = path.stat()
        obstacle = find_obstacle(path)
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
        owner="" if status.st_uid == os.getuid() else user_name(status.st_uid),
        is_writable=can_write,
        blocked_at=None if can_write else path,
        obstacle=obstacle,
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
        total=len(files),
        open_to_others=tuple(path for path in files if _mode(path) & OTHERS),
    )


def list_secrets(paths: StackPaths) -> list[Path]:
    """Where a stack keeps tokens and passwords."""
    found = [paths.plan, paths.state, paths.hidden, paths.log_copy]
    for directory, pattern in ((paths.environments, "*"), (paths.agents, "*.json")):
        try:
            found += sorted(directory.glob(pattern))
        except OSError:
            continue
    return found


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def judge_directory(facts: DirectoryFacts) -> tuple[Finding, ...]:
    """Whether home is ours, can be written, and is closed to others."""
    shown = name_for_people(facts.path)
    obstacle = _describe_obstacle(facts, shown)
    if obstacle:
        return (_home(State.PROBLEM, obstacle, "set PRISM_HOME to a directory of yours"),)
    if facts.mode is None:
        return (_home(State.FINE, f"{shown} is not there yet; the first start makes it"),)
    if facts.mode & OTHERS:
        is_dangerous = bool(facts.mode & _OTHERS_WRITE)
        danger = "others can put programs into it" if is_dangerous else "others can look into it"
        state = State.PROBLEM if is_dangerous else State.WARNING
        words = f"{shown} has mode {facts.mode:04o}: {danger}"
        if facts.obstacle:
            words = f"{words}, and it cannot be closed to them: {facts.obstacle}"
            return (_home(state, words, WAY_OUT),)
        return (
            _home(
                state,
                words,
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
        files = "file" if facts.total == 1 else "files"
        return (_secrets(State.FINE, f"{facts.total} {files} with secrets, closed to others"),)
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


def _home(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(name="home", title="home", state=state, detail=detail, fix=fix, repair=repair)


def _secrets(state: State, detail: str, fix: str = "", repair: Repair | None = None) -> Finding:
    return Finding(
        name="secrets", title="secrets", state=state, detail=detail, fix=fix, repair=repair
    )
