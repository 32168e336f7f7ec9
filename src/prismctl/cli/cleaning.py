"""`clean`: shows what would go, asks, stops every stack, removes, and tells what is still there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.cli.keypress import ask_for_key
from prismctl.cli.stopping import describe_swept, stop_stack
from prismctl.client import StackCondition, find_condition, sweep
from prismctl.errors import ConfigError, ExitCode, PartialError, PrismError, Problem
from prismctl.files.text import name_for_people
from prismctl.install.cleaning import (
    CleaningPlan,
    Kept,
    Removal,
    plan_cleaning,
    refuse_dangerous,
    what_remains,
)
from prismctl.install.home_lock import holding_home
from prismctl.install.manifest import Manifest, read_manifest, write_manifest
from prismctl.install.package_managers.removal import needs_root, removal_command
from prismctl.install.removing import Failure, remove, remove_empty, remove_lock
from prismctl.machine import find_tool
from prismctl.present.cleaning import failure_words, plan_lines, result_lines
from prismctl.present.question import Choice
from prismctl.present.text import line
from prismctl.present.units import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from prismctl.cli.invocation import Invocation
    from prismctl.files.paths import Home, StackPaths
    from prismctl.install.cleaning import Target
    from prismctl.install.manifest import InstalledPackages

_AGAIN: Final = "`prismctl dev clean` again goes on with what is left"
_COMMAND_SECONDS: Final = 120.0
"""How long Podman may take to remove one image."""
_PACKAGES_SECONDS: Final = 600.0
_CHOICES: Final = (Choice("y", "remove all of this"), Choice("n", "leave everything as it is"))
_REMOVERS: Final = {
    Removal.TREE: remove,
    Removal.LOCK: remove_lock,
    Removal.EMPTY: remove_empty,
}
_ALIVE: Final = frozenset({StackCondition.RUNNING, StackCondition.UNATTENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """Something that should have gone and is still there."""

    name: str
    reason: str
    fix: str = ""


@dataclass(slots=True)
class _Done:
    """What became of it, as it comes."""

    stopped: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    freed_bytes: int = 0
    images: list[str] = field(default_factory=list)
    packages: list[InstalledPackages] = field(default_factory=list)
    declined: list[InstalledPackages] = field(default_factory=list)
    """What somebody wanted to stay."""
    failed: list[_Left] = field(default_factory=list)


def clean_home(call: Invocation, *, is_all: bool, is_trial: bool) -> None:
    """Remove the state of a home, or with ``is_all`` everything that prismctl has made.

    Raises:
        ConfigError: nobody has agreed, and nobody can be asked.
        PartialError: something could not be removed; the rest is gone.
        PrismError: home must not be cleaned, or its manifest cannot be used.
    """
    home = call.home
    refuse_dangerous(home)
    manifest = read_manifest(home) if is_all else None
    plan = plan_cleaning(home, manifest=manifest, environment=os.environ)
    conditions = {name: find_condition(home.stack(name)) for name in plan.stacks}
    document = _describe(call, plan, conditions, is_all=is_all, is_trial=is_trial)
    if is_trial or plan.is_empty:
        _tell_plan(call, plan, document, is_trial=is_trial)
        return
    _confirm(call, plan, document)
    done = _Done()
    try:
        with _no_init_meanwhile(home):
            unstopped = _stop_all(call, plan, done)
            _remove_targets(call, plan, done, unstopped=unstopped)
            if manifest is not None:
                _remove_images(home, plan, done)
                _remove_packages(call, plan, done)
                _settle_accounts(home, manifest, plan, done)
            home.init_lock.unlink(missing_ok=True)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt, "interrupted; some of it is gone", hint=_AGAIN
        ) from interrupt
    for directory in plan.emptied:
        remove_empty(directory)
    done.removed += [each.path for each in plan.last if each.path == home.directory]
    _tell_result(call, plan, document, done)


def _describe(
    call: Invocation,
    plan: CleaningPlan,
    conditions: dict[str, StackCondition],
    *,
    is_all: bool,
    is_trial: bool,
) -> dict[str, Any]:
    return {
        "schema": 1,
        "home": str(call.home.directory),
        "all": is_all,
        "dry_run": is_trial,
        "stacks": [{"name": name, "condition": each.value} for name, each in conditions.items()],
        "paths": [
            {
                "path": _shown(call, target.path),
                "kind": target.kind.value,
                "what": target.what,
                "bytes": target.size_bytes,
            }
            for target in (*plan.targets, *plan.last)
        ],
        "bytes": plan.size_bytes,
        "images": list(plan.images),
        "packages": [
            {
                "manager": each.manager,
                "names": list(each.names),
                "command": shlex.join(_package_command(call, each)),
            }
            for each in plan.packages
        ],
        "kept": [_describe_kept(call, each) for each in plan.kept],
        "notes": list(plan.notes),
    }


def _describe_kept(call: Invocation, kept: Kept) -> dict[str, str]:
    return {"path": _shown(call, kept.path), "why": kept.why}


def _shown(call: Invocation, path: Path) -> str:
    return str(path) if call.is_json else name_for_people(path)


def _tell_plan(
    call: Invocation, plan: CleaningPlan, document: dict[str, Any], *, is_trial: bool
) -> None:
    if call.is_json:
        if not is_trial:
            document |= _render_done(call, _Done(), plan.kept)
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    if plan.is_empty:
        place = name_for_people(call.home.directory)
        call.write_lines([line(f"there is nothing to remove in {place}")])
    call.write_lines(plan_lines(document))
    if is_trial and not plan.is_empty:
        call.report([(), line("nothing was touched")])


def _confirm(call: Invocation, plan: CleaningPlan, document: dict[str, Any]) -> None:
    if call.is_confirmed:
        return
    if not call.can_ask:
        message = f"clean removes {count_of(len(plan.targets) + len(plan.last), 'path')}; that has to be confirmed"
        raise ConfigError(
            [Problem(message=message)],
            hint="add --yes, or --dry-run to see what would be removed",
        )
    call.show([*plan_lines(document), ()])
    if ask_for_key(call, _CHOICES, declining="n") != "y":
        call.show([line("nothing was touched")])
        raise click.exceptions.Exit(ExitCode.FAILED)


def _no_init_meanwhile(home: Home) -> AbstractContextManager[None]:
    """Hold the lock of `init`, which would install into what is being removed; one that is at work is not waited for."""

    def refuse() -> None:
        raise PrismError(
            f"`prismctl dev init` is at work in {home.directory}",
            hint="wait until it has ended, or end it",
        )

    return holding_home(home, when_busy=refuse)


def _stop_all(call: Invocation, plan: CleaningPlan, done: _Done) -> set[str]:
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
            done.failed.append(
                _Left(name=_shown(call, paths.directory), reason=reason, fix=error.hint)
            )
            unstopped.add(name)
    return unstopped


def _remove_targets(
    call: Invocation, plan: CleaningPlan, done: _Done, *, unstopped: set[str]
) -> None:
    for target in plan.targets:
        if target.stack in unstopped:
            continue
        with _held(call.home.stack(target.stack) if target.stack else None) as is_free:
            if not is_free:
                reason = f"stack {target.stack} was started meanwhile"
                done.failed.append(_Left(name=_shown(call, target.path), reason=reason))
            elif os.path.lexists(target.path):
                _note(call, target, _REMOVERS[target.removal](target.path), done)


def _note(call: Invocation, target: Target, failures: Sequence[Failure], done: _Done) -> None:
    done.failed += [
        _Left(name=_shown(call, each.path), reason=each.reason, fix=each.fix) for each in failures
    ]
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


def _remove_images(home: Home, plan: CleaningPlan, done: _Done) -> None:
    """Remove the images that were pulled for this home, unless something uses them."""
    podman = find_tool("podman", home.tools) if plan.images else None
    for image in plan.images:
        name = f"image {image}"
        if podman is None:
            reason = "there is no podman to remove it with"
            done.failed.append(_Left(name=name, reason=reason, fix=f"podman rmi {image}"))
            continue
        if _run([podman.path, "image", "exists", image])[0] == 1:
            done.images.append(image)
            continue
        code, said = _run([podman.path, "rmi", image])
        if code == 0:
            done.images.append(image)
        else:
            done.failed.append(
                _Left(name=name, reason=said, fix=f"podman ps -a --filter ancestor={image}")
            )


def _remove_packages(call: Invocation, plan: CleaningPlan, done: _Done) -> None:
    """Remove the packages that were not there before; each manager's command is shown and asked for by itself."""
    for packages in plan.packages:
        name = f"{packages.manager} packages {', '.join(packages.names)}"
        command = _package_command(call, packages)
        if not _agrees(call, command):
            done.declined.append(packages)
            continue
        code, said = _run(command, seconds=_PACKAGES_SECONDS, can_ask=call.can_ask)
        if code == 0:
            done.packages.append(packages)
        else:
            done.failed.append(_Left(name=name, reason=said, fix=shlex.join(command)))


def _package_command(call: Invocation, packages: InstalledPackages) -> list[str]:
    """The command as it is run by this user."""
    command = list(removal_command(packages))
    if not needs_root(packages) or os.geteuid() == 0:
        return command
    # Without somebody to type it, a question for the password would wait for ever.
    return ["sudo", *([] if call.can_ask else ["-n"]), *command]


def _agrees(call: Invocation, command: Sequence[str]) -> bool:
    if call.is_confirmed or not call.can_ask:
        return call.is_confirmed
    call.show([line(f"`{shlex.join(command)}`"), ()])
    choices = (Choice("y", "run it"), Choice("n", "leave the packages"))
    return ask_for_key(call, choices, declining="n") == "y"


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


def _settle_accounts(home: Home, manifest: Manifest, plan: CleaningPlan, done: _Done) -> None:
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


def _render_done(call: Invocation, done: _Done, kept: Sequence[Kept]) -> dict[str, Any]:
    names = [(each.manager, name) for each in done.declined for name in each.names]
    return {
        "stopped": done.stopped,
        "swept": done.swept,
        "removed": [_shown(call, path) for path in done.removed],
        "freed_bytes": done.freed_bytes,
        "removed_images": done.images,
        "removed_packages": [name for each in done.packages for name in each.names],
        "kept": [
            *(_describe_kept(call, each) for each in kept if os.path.lexists(each.path)),
            *({"path": f"{manager} package {name}", "why": "wanted"} for manager, name in names),
        ],
        "failed": [
            {"path": each.name, "reason": each.reason, "fix": each.fix} for each in done.failed
        ],
        "is_home_removed": not os.path.lexists(call.home.directory),
    }


def _tell_result(
    call: Invocation, plan: CleaningPlan, document: dict[str, Any], done: _Done
) -> None:
    document = {**document, **_render_done(call, done, plan.kept)}
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        if done.failed:
            raise click.exceptions.Exit(ExitCode.PARTIAL)
        return
    call.write_lines(result_lines(document))
    if done.failed:
        words = "\n".join(failure_words(document["failed"]))
        fix = next((each.fix for each in done.failed if each.fix), "")
        raise PartialError(
            f"{count_of(len(done.failed), 'thing')} could not be removed\n{words}",
            hint=f"{fix}\n{_AGAIN}" if fix else _AGAIN,
        )
