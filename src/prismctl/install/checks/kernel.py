"""What the kernel grants: inotify, with which logs and files are watched, and control groups."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.install.checks.finding import Finding, State, worst_state

if TYPE_CHECKING:
    from prismctl.install.checks.surroundings import Surroundings

INOTIFY_LIMITS: Final = {
    "fs.inotify.max_user_watches": (8192, 524288),
    "fs.inotify.max_user_instances": (128, 512),
}
"""By sysctl: what is enough, and what to set it to where it is less."""


class InotifyFacts(NamedTuple):
    """The limits of this user."""

    limits: dict[str, int] | None
    """By sysctl; ``None``: this system has no inotify."""
    refusal: str = ""
    """Why not one more instance can be had, in words; empty when it can."""


class GroupFacts(NamedTuple):
    """The control groups that are mounted."""

    version: str
    """``2``, ``1``, ``1 and 2 (hybrid)``; empty: there are none."""
    has_podman: bool = False


def gather_inotify(surroundings: Surroundings) -> InotifyFacts:
    """The limits, and whether one more instance can be had."""
    del surroundings
    if sys.platform != "linux":
        return InotifyFacts(limits=None)
    limits = {}
    for name in INOTIFY_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            path = Path("/proc/sys", *name.split("."))
            limits[name] = int(path.read_text(encoding="ascii"))
    return InotifyFacts(limits=limits or None, refusal=try_inotify())


def try_inotify() -> str:
    """Why the kernel refuses one more inotify instance, in words; empty when it does not."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor >= 0:
        os.close(descriptor)
        return ""
    number = ctypes.get_errno()
    if number == errno.EMFILE:
        return "all instances of this user are in use"
    return os.strerror(number).lower()


def gather_groups(surroundings: Surroundings) -> GroupFacts:
    """Which versions are mounted at the usual place."""
    from prismctl.machine import find_tool

    podman = find_tool("podman", surroundings.home.tools, surroundings.environment)
    return GroupFacts(version=name_group_version(), has_podman=podman is not None)


def name_group_version(top: Path = Path("/sys/fs/cgroup")) -> str:
    """The version of the control groups mounted at a directory; empty: there are none."""
    if (top / "cgroup.controllers").exists():
        return "2"
    if (top / "unified" / "cgroup.procs").exists():
        return "1 and 2 (hybrid)"
    return "1" if (top / "memory").exists() or (top / "cpu").exists() else ""


def judge_inotify(facts: InotifyFacts) -> tuple[Finding, ...]:
    """Whether files can be watched."""
    if facts.limits is None:
        return (_inotify(State.FINE, "not needed on this system"),)
    fixes, states = [], []
    shown = ", ".join(f"{name} = {number}" for name, number in facts.limits.items())
    for name, number in facts.limits.items():
        enough, wanted = INOTIFY_LIMITS[name]
        if number < enough:
            states.append(State.WARNING)
            fixes.append(f"{name}={wanted}")
    if facts.refusal:
        name = "fs.inotify.max_user_instances"
        doubled = 2 * facts.limits.get(name, INOTIFY_LIMITS[name][1])
        fixes = [each for each in fixes if not each.startswith(name)]
        fixes.append(f"{name}={max(doubled, INOTIFY_LIMITS[name][1])}")
        fix = f"sudo sysctl {' '.join(fixes)}"
        return (_inotify(State.PROBLEM, f"{facts.refusal}; {shown}", fix),)
    if fixes:
        words = f"{shown}: watching many files needs more"
        return (_inotify(worst_state(states), words, f"sudo sysctl {' '.join(fixes)}"),)
    return (_inotify(State.FINE, shown),)


def judge_groups(facts: GroupFacts) -> tuple[Finding, ...]:
    """Whether resources of containers can be limited; programs need no control groups."""
    if sys.platform != "linux":
        return (_groups(State.FINE, "not needed on this system"),)
    if not facts.version:
        if facts.has_podman:
            return (
                _groups(
                    State.WARNING,
                    "none are mounted; containers cannot be run",
                    "let services be run as programs: `--runtime native`",
                ),
            )
        return (_groups(State.FINE, "none are mounted; services run without them"),)
    # Which runtime goes with which version is found out by running a container.
    return (_groups(State.FINE, f"version {facts.version}"),)


def _inotify(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="inotify", title="inotify", state=state, detail=detail, fix=fix)


def _groups(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="cgroups", title="control groups", state=state, detail=detail, fix=fix)
