"""Programs that are there and not used, because somebody else could have us run something by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.interpolation import MARK
from prismctl.files.paths import find_project_file
from prismctl.files.text import name_for_people
from prismctl.install.checks.finding import Finding, State
from prismctl.install.tools import TOOLS
from prismctl.machine import find_skipped_programs, find_skipped_tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.install.checks.surroundings import Surroundings
    from prismctl.machine import Skipped


class SkippedFacts(NamedTuple):
    """One program that is passed over."""

    name: str
    skipped: Skipped


def gather_skipped(surroundings: Surroundings) -> tuple[SkippedFacts, ...]:
    """What is passed over of the tools, and of the programs that services of the catalog are run by."""
    environment = surroundings.environment
    project = find_project_file(surroundings.working_directory)
    directory = project.parent if project else surroundings.working_directory
    tools = [str(name) for name in TOOLS]
    found = [
        SkippedFacts(name, skipped)
        for name in tools
        for skipped in find_skipped_tools(name, surroundings.home.tools, environment)
    ]
    services = surroundings.catalog.services.values()
    commands = [service.command[0] for service in services if service.command]
    # What names a path or is known only when the plan is made is looked for nowhere.
    programs = [each for each in commands if "/" not in each and MARK not in each]
    programs += [service.name for service in services]
    found += [
        SkippedFacts(name, skipped)
        for name in dict.fromkeys(programs)
        if name not in tools
        for skipped in find_skipped_programs(name, directory, environment)
    ]
    return tuple(found)


def judge_skipped(facts: Sequence[SkippedFacts]) -> tuple[Finding, ...]:
    """A finding for each; none when every program that is there can be used."""
    return tuple(_judge(each) for each in facts)


def _judge(facts: SkippedFacts) -> Finding:
    path, culprit, owner = facts.skipped
    named = name_for_people(Path(culprit))
    why = f"{named} belongs to user {owner}" if owner else f"everybody can write to {named}"
    return Finding(
        name=f"skipped-{facts.name}",
        title=facts.name,
        state=State.WARNING,
        detail=f"{name_for_people(Path(path))} is not used: {why}",
        fix=f"sudo chown root {culprit}   (if you trust what is in it)"
        if owner
        else f"chmod o-w {culprit}   (if you trust what is in it)",
    )
