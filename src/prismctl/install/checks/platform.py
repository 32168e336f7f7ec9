"""Python and the kind of machine: what prismctl itself runs on."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.install.checks.finding import Finding, State
from prismctl.install.target import Target, find_target
from prismctl.install.versions import Version, VersionRange

if TYPE_CHECKING:
    from prismctl.install.checks.surroundings import Surroundings

PYTHONS: Final = VersionRange(Version(3, 11), Version(4, 0))
SYSTEMS: Final = ("linux", "darwin")
PROCESSORS: Final = ("amd64", "arm64")


class PlatformFacts(NamedTuple):
    """What runs prismctl."""

    python: Version
    implementation: str
    """``CPython``, ``PyPy``."""
    executable: str
    target: Target


def gather_platform(surroundings: Surroundings) -> PlatformFacts:
    """What runs this very process."""
    del surroundings
    return PlatformFacts(
        python=Version(*sys.version_info[:3]),
        implementation=platform.python_implementation(),
        executable=sys.executable,
        target=find_target(),
    )


def judge_platform(facts: PlatformFacts) -> tuple[Finding, ...]:
    """Whether prismctl is made for it."""
    return _judge_python(facts), _judge_target(facts.target)


def _judge_python(facts: PlatformFacts) -> Finding:
    title = f"Python {facts.python}"
    if facts.python not in PYTHONS:
        return Finding(
            name="python",
            title=title,
            state=State.PROBLEM,
            detail=f"{facts.executable}: {PYTHONS} is supported",
            fix="install prismctl with a newer Python",
        )
    if facts.implementation != "CPython":
        return Finding(
            name="python",
            title=title,
            state=State.WARNING,
            detail=f"{facts.executable} is {facts.implementation}; only CPython is tested",
            fix="install prismctl with CPython",
        )
    return Finding(name="python", title=title, state=State.FINE, detail=facts.executable)


def _judge_target(target: Target) -> Finding:
    if target.system not in SYSTEMS:
        return Finding(
            name="platform",
            title="platform",
            state=State.PROBLEM,
            detail=f"{target} is not supported; {' and '.join(SYSTEMS)} are",
        )
    if target.processor not in PROCESSORS:
        return Finding(
            name="platform",
            title="platform",
            state=State.WARNING,
            detail=f"nobody releases Nomad and Consul for {target}",
            fix="prismctl dev start --engine local",
        )
    return Finding(name="platform", title="platform", state=State.FINE, detail=str(target))
