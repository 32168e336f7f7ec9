"""Carries out what `clean` has planned: stops, removes, and keeps account of what came of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from prismctl.cli.keypress import ask_for_key
from prismctl.cli.stopping import describe_swept, stop_stack
from prismctl.client import StackCondition, find_condition, sweep
from prismctl.domain.containers import DOCKER, PODMAN
from prismctl.errors import PrismError
from prismctl.install.cleaning.by_manifest import what_remains
from prismctl.install.cleaning.removing import Failure, remove, remove_empty, remove_lock
from prismctl.install.cleaning.targets import CleaningPlan, Removal
from prismctl.install.manifest import Manifest, write_manifest
from prismctl.install.package_managers.removal import needs_root, removal_command
from prismctl.machine import find_program, find_tool
from prismctl.present.question import Choice
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.cleaning.targets import Target
    from prismctl.install.manifest import InstalledPackages

_COMMAND_SECONDS: Final = 120.0
"""How long the removal of one image may take."""
_NO_IMAGE: Final = re.compile(r"[Nn]o such image|image not known")
"""Somebody has removed it before."""
_PACKAGES_SECONDS: Final = 600.0
_PACKAGE_CHOICES: Final = (Choice("y", "run it"), Choice("n", "leave the packages"))
_REMOVERS: Final = {
    Removal.TREE: remove,
    Removal.LOCK: remove_lock,
    Removal.EMPTY: remove_empty,
}
_ALIVE: Final = frozenset({StackCondition.RUNNING, StackCondition.UNATTENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that should have gone and is still there."""

    what: Path | str
    """Where it is, or what it is called."""
    reason: str
    fix: str = ""


@dataclass(slots=True)
class Done:
    """What became of it, as it comes."""

    stopped: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    freed_bytes: int = 0
    images: list[str] = field(default_factory=list)
    packages: list[InstalledPackages] = field(default_factory=list)
    declined: list[InstalledPackages] = field(default_factory=list)
    """What somebody wanted to stay."""
    failed: list[Left] = field(default_factory=list)


def carry_out_cleaning(call: Invocation, plan: CleaningPlan, *, manifest: Manifest | None) -> Done:
    """Remove what was planned, as far as it can be; what came of it.

    Args:
        call: says how to tell, and whether somebody can be asked.
        plan: what goes.
        manifest: of everything else that goes as well; ``None``: that stays.

    Raises:
        PrismError: the account of what is left cannot be written.
    """
    done = Done()
    unstopped = _stop_all(call, plan, done)
    _remove_targets(call.home, plan, done, unstopped=unstopped)
    if manifest is not None:
        _remove_images(call.home, plan, done)
        _remove_packages(call, plan, done)
        _settle_accounts(call.home, manifest, plan, done)
    return done


def package_command(call: Invocation, packages: InstalledPackages) -> list[str]:
    """The command as it is run by this user."""
    command = list(removal_command(packages))
    if not needs_root(packages) or os.geteuid() == 0:
        return command
    # Without somebody to type it, a question for the password would wait for ever.
    return ["sudo", *([] if call.can_ask else ["-n"]), *command]


def _stop_all(call: Invocation, plan: CleaningPlan, done: Done) -> set[str]:
    """Stop every stack, and end what is left of those that were killed; those that would not stop."""
    unstopped = set()
    for name in plan.stacks:
        paths = call.home.stack(name)
        try:
            if find_condition(paths) in _ALIVE:
                call.report([line(f"stopping stack {name}")])
                stop_stack(replace(call, stack=name), kill=False)
                done.stopped.append(name)
            else:
                # Also where no plan is left: a process that lost its keeper would be in the way of its directory.
                done.swept += describe_swept(sweep(paths))
        except PrismError as error:
            reason = f"stack {name} could not be stopped: {error.message}"
            done.failed.append(Left(what=paths.directory, reason=reason, fix=error.hint))
            unstopped.add(name)
    return unstopped


def _remove_targets(home: Home, plan: CleaningPlan, done: Done, *, unstopped: set[str]) -> None:
    for target in plan.targets:
        if target.stack in unstopped:
            continue
        with _held(home.stack(target.stack) if target.stack else None) as is_free:
            if not is_free:
                reason = f"stack {target.stack} was started meanwhile"
                done.failed.append(Left(what=target.path, reason=reason))
            elif os.path.lexists(target.path):
                _note(target, _REMOVERS[target.removal](target.path), done)


def _note(target: Target, failures: Sequence[Failure], done: Done) -> None:
    done.failed += [Left(what=each.path, reason=each.reason, fix=each.fix) for each in failures]
    if not failures:
        done.removed.append(target.path)
        done.freed_bytes += target.size_bytes


@contextlib.contextmanager
def _held(paths: StackPaths | None) -> Iterator[bool]:
    """Keep daemons of a stack from starting; whether none had started. ``None``: no stack is concerned."""
    if paths is None:
        yield True
        return
    try:
        descriptor = os.open(paths.daemon_lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        # It never had one, or it went with the stack's directory.
        yield find_condition(paths) not in _ALIVE
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _remove_images(home: Home, plan: CleaningPlan, done: Done) -> None:
    """Remove the images that were pulled for this home, unless something uses them."""
    for image in plan.images:
        # As each of them says it: Docker with the kind of the digest, Podman without.
        kind = DOCKER if image.startswith("sha256:") else PODMAN
        program = _find_remover(kind, home)
        name = f"image {image}"
        if not program:
            reason = f"there is no {kind} to remove it with"
            done.failed.append(Left(what=name, reason=reason, fix=f"{kind} rmi {image}"))
            continue
        code, said = _run([program, "rmi", image])
        if code == 0 or _NO_IMAGE.search(said):
            done.images.append(image)
        else:
            done.failed.append(
                Left(what=name, reason=said, fix=f"{kind} ps -a --filter ancestor={image}")
            )


def _find_remover(kind: str, home: Home) -> str:
    """The program that keeps an image; empty: it is not there."""
    if kind == DOCKER:
        return find_program(DOCKER)
    podman = find_tool(PODMAN, home.tools)
    return podman.path if podman else ""


def _remove_packages(call: Invocation, plan: CleaningPlan, done: Done) -> None:
    """Remove the packages that were not there before; each manager's command is shown and asked for by itself."""
    for packages in plan.packages:
        name = f"{packages.manager} packages {', '.join(packages.names)}"
        command = package_command(call, packages)
        if not _agrees(call, command):
            done.declined.append(packages)
            continue
        code, said = _run(command, seconds=_PACKAGES_SECONDS, can_ask=call.can_ask)
        if code == 0:
            done.packages.append(packages)
        else:
            done.failed.append(Left(what=name, reason=said, fix=shlex.join(command)))


def _agrees(call: Invocation, command: Sequence[str]) -> bool:
    if call.is_confirmed or not call.can_ask:
        return call.is_confirmed
    call.show([line(f"`{shlex.join(command)}`"), ()])
    return ask_for_key(call, _PACKAGE_CHOICES, declining="n") == "y"


def _run(
    command: Sequence[str], *, seconds: float = _COMMAND_SECONDS, can_ask: bool = False
) -> tuple[int, str]:
    """The exit code of a command, and the last that it said; what cannot be run has code -1."""
    try:
        done = subprocess.run(
            command,
            stdin=None if can_ask else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"`{command[0]}` did not end within {seconds:g} s"
    except OSError as error:
        return -1, f"`{command[0]}` cannot be run: {(error.strerror or str(error)).lower()}"
    said = [words.strip() for words in done.stdout.splitlines() if words.strip()]
    return done.returncode, said[-1] if said else f"`{command[0]}` ended with {done.returncode}"


def _settle_accounts(home: Home, manifest: Manifest, plan: CleaningPlan, done: Done) -> None:
    """Remove the manifest, or leave in it what is still there: the next clean has to know."""
    rest = what_remains(
        manifest,
        home,
        plan,
        packages=[each for each in manifest.packages if each not in done.packages],
        images=[each for each in manifest.images if each not in done.images],
    )
    if rest != Manifest():
        write_manifest(home, rest)
        return
    for target in plan.last:
        if target.path == home.manifest:
            target.path.unlink(missing_ok=True)
            done.removed.append(target.path)
            done.freed_bytes += target.size_bytes
