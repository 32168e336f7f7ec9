"""Makes Podman work, not just be there: finds the settings with which a container runs here, and keeps them in home."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.errors import MissingToolError, PrismError
from prismctl.install.containers.configuration import (
    podman_environment,
    remove_registries,
    write_registries,
    write_settings,
)
from prismctl.install.containers.facts import PodmanFacts, inspect_podman
from prismctl.install.containers.judging import judge_podman, judge_trial
from prismctl.install.containers.proof import (
    Failure,
    recall_containers,
    remember_containers,
    remember_failure,
)
from prismctl.install.containers.settings import MAX_TRIES, Settings, find_way
from prismctl.install.containers.trial import (
    INITS,
    PATIENCE_SECONDS,
    Trial,
    TrialState,
    find_subject,
    list_images,
    try_container,
)
from prismctl.install.steps import Outcome
from prismctl.install.tools import ToolName
from prismctl.machine import find_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.files.paths import Home
    from prismctl.install.checks.finding import Finding
    from prismctl.install.containers.trial import Subject
    from prismctl.install.provider import Progress

_NO_IMAGE: Final = Trial(state=TrialState.NOT_TRIED, words="no image at hand: not tried")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """Podman as it is with the settings of a home, and what came of two containers."""

    facts: PodmanFacts
    bare: Trial
    """Without a network."""
    networked: Trial

    def judge(self, home: Home) -> tuple[Finding, ...]:
        """What is wrong, what came of the containers first."""
        has_registries = "CONTAINERS_REGISTRIES_CONF" in podman_environment(home)
        findings = judge_podman(self.facts, can_resolve_short_names=has_registries)
        tried = (
            judge_trial(self.bare, is_network=False)
            if self.bare.state is TrialState.FAILED
            else None,
            judge_trial(self.networked, is_network=True)
            if self.networked.state is TrialState.FAILED
            else None,
        )
        return (*(finding for finding in tried if finding is not None), *findings)


async def ensure_podman_works(
    home: Home,
    environment: Mapping[str, str],
    report: Callable[[Progress | str], None],
    *,
    needs_network: bool = False,
) -> Outcome:
    """Have containers run with the Podman that is found, unless they did with this very one before.

    Args:
        home: that Podman is run for.
        environment: it is run with.
        report: told what is tried.
        needs_network: whether containers that can only talk to themselves are of no use.

    Raises:
        MissingToolError: there is none.
        PrismError: it does not say what it is like, or no container runs as it should, whatever is set.
    """
    found = find_tool(ToolName.PODMAN, home.tools)
    if found is None:
        raise MissingToolError("Podman was installed, and is not on PATH")
    program = Path(found.path)
    known = recall_containers(home, program)
    if known is not None:
        return Outcome(detail=known)
    try:
        outcome = await make_podman_work(
            home, program, environment, report, needs_network=needs_network
        )
    except PrismError as error:
        remember_failure(home, program, Failure(error.message, error.hint, time.time()))
        raise
    if not outcome.fix:
        remember_containers(home, program, outcome.detail)
    return outcome


async def make_podman_work(
    home: Home,
    path: Path,
    environment: Mapping[str, str],
    report: Callable[[Progress | str], None],
    *,
    needs_network: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
    inits: Sequence[str] = INITS,
) -> Outcome:
    """Find the settings with which Podman runs containers on this machine, and write them into home where it needs any.

    Nothing is pulled, and no setting of the system or the user is touched.

    Args:
        home: that Podman is run for.
        path: of Podman.
        environment: it is run with.
        report: told what is tried.
        needs_network: whether containers that can only talk to themselves are of no use.
        patience_seconds: how long one container may take.
        inits: programs that can be run without an image, by path.

    Raises:
        PrismError: it does not say what it is like, or no container runs as it should, whatever is set.
    """
    before = _read_files(home)
    report("asking Podman what it is like")
    facts = await inspect_podman(path, _with_settings(home, environment))
    if facts.version:
        facts = await _settle_registries(home, facts, environment)
        looked = await _search(
            home, facts, environment, report, patience_seconds=patience_seconds, inits=inits
        )
    else:
        looked = _Looked(facts=facts, bare=_NO_IMAGE, networked=_NO_IMAGE)
    findings = looked.judge(home)
    is_cut_off = needs_network and looked.networked.state is TrialState.FAILED
    if not looked.facts.version or looked.bare.state is TrialState.FAILED or is_cut_off:
        worst = findings[0]
        raise PrismError(f"{worst.title}: {worst.detail}", hint=worst.fix)
    words = [looked.facts.summary]
    if looked.bare.state is TrialState.NOT_TRIED:
        words.append(looked.bare.words)
    words += [finding.detail for finding in findings]
    return Outcome(
        detail="; ".join(words),
        is_changed=_read_files(home) != before,
        fix=next((finding.fix for finding in findings if finding.fix), ""),
    )


async def _settle_registries(
    home: Home, facts: PodmanFacts, environment: Mapping[str, str]
) -> PodmanFacts:
    """Name a registry for short names where nobody has, and take the name back where somebody has since."""
    if facts.is_virtual:
        return facts
    ours = "CONTAINERS_REGISTRIES_CONF" in podman_environment(home)
    if ours:
        remove_registries(home)
        facts = await inspect_podman(facts.path, _with_settings(home, environment))
    if not facts.search_registries:
        write_registries(home, environment)
    return facts


async def _search(
    home: Home,
    facts: PodmanFacts,
    environment: Mapping[str, str],
    report: Callable[[Progress | str], None],
    *,
    patience_seconds: float,
    inits: Sequence[str],
) -> _Looked:
    """Try settings until a container runs; those that are in force first."""
    path = facts.path
    images = await list_images(path, _with_settings(home, environment))
    with find_subject(images, inits, is_virtual=facts.is_virtual) as subject:
        if subject is None:
            return _Looked(facts=facts, bare=_NO_IMAGE, networked=_NO_IMAGE)
        report("running a container")
        trials = await _try_both(path, subject, _with_settings(home, environment), patience_seconds)
        if trials[0].has_worked or facts.is_virtual:
            return _Looked(facts=facts, bare=trials[0], networked=trials[1])
        settings = Settings()
        write_settings(home, settings, version=facts.version, environment=environment)
        for _ in range(MAX_TRIES):
            trials = await _try_both(
                path, subject, _with_settings(home, environment), patience_seconds
            )
            failure = trials[0].words
            way = find_way(
                failure,
                settings,
                runtime=settings.runtime or facts.runtime,
                runtimes=facts.runtimes,
            )
            if trials[0].has_worked or way is None:
                break
            settings = way.settings
            report(f"{way.why}; trying with {settings}")
            write_settings(home, settings, version=facts.version, environment=environment)
        if not trials[0].has_worked:
            # None of them has helped: Podman stays as others have set it up.
            write_settings(home, Settings(), version=facts.version, environment=environment)
    changed = await inspect_podman(path, _with_settings(home, environment))
    return _Looked(facts=changed, bare=trials[0], networked=trials[1])


async def _try_both(
    path: Path, subject: Subject, environment: Mapping[str, str], patience_seconds: float
) -> tuple[Trial, Trial]:
    """A container without a network, and if that runs one with."""
    bare = await try_container(path, subject, environment, patience_seconds=patience_seconds)
    if not bare.has_worked:
        return bare, _NO_IMAGE
    networked = await try_container(
        path, subject, environment, has_network=True, patience_seconds=patience_seconds
    )
    return bare, networked


def _with_settings(home: Home, environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, **podman_environment(home)}


def _read_files(home: Home) -> dict[str, bytes]:
    """What the configuration of this home says now, by file."""
    return {
        name: Path(file).read_bytes() for name, file in sorted(podman_environment(home).items())
    }
