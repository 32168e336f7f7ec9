"""Makes the plan: what was decided, resolved on this machine, with every port a number."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.plan import ENGINES, Terms
from prismctl.domain.plan_options import PlanOptions
from prismctl.domain.problems import Problems
from prismctl.domain.resolve import resolve_plan
from prismctl.domain.service import Runtime
from prismctl.files.passwords import Passwords
from prismctl.files.settings import RUNTIMES
from prismctl.planning.deciding import settle
from prismctl.planning.request import Inquiry, note_request
from prismctl.planning.taken_ports import (
    PortTakenError,
    can_have,
    describe_who_has,
    name_holders,
    ports_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.resolve import Resolution
    from prismctl.files.paths import Home
    from prismctl.planning.deciding import Decision
    from prismctl.planning.request import PlanRequest


class Foreseen(NamedTuple):
    """What would run here now, and what would have to be asked first."""

    plan: StackPlan
    """With other ports for those that are taken."""
    conflicts: tuple[PortConflict, ...]
    """The ports that are taken, with who has them."""


def make_plan(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> StackPlan:
    """Decide what shall run, completely.

    Args:
        request: what was asked for.
        home: of the user; gets a catalog if it has none.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.
        tell: hears of what takes seconds, before it does.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        MissingToolError: programs that are needed are not installed; all of them at once.
        PortTakenError: ports are held by somebody else; all of them at once.
        PrismError: a file cannot be read, or home not be written.
    """
    problems = Problems()
    told_at: list[float] = []

    def note(words: str) -> None:
        told_at.append(time.monotonic())
        tell(words)

    inquiry = Inquiry(request, home, environment, working_directory, note)
    decision = settle(inquiry, problems)
    resolution = _resolve(inquiry, decision, find_options(inquiry, decision), problems)
    if forgotten := _find_forgotten(decision, request):
        tell(forgotten)
    if resolution.conflicts:
        raise PortTakenError(name_holders(resolution.conflicts, home))
    # What takes so long that it is told is done once; the rest of planning takes no time beside it.
    once_seconds = time.monotonic() - told_at[0] if told_at else 0.0
    plan = _conclude(resolution.plan, decision, inquiry)
    return replace(plan, once_seconds=once_seconds)


def _find_forgotten(decision: Decision, request: PlanRequest) -> str:
    """That a file describes services and none of them is started, in words; empty: some are, or somebody chose."""
    if request.names_selection:
        return ""
    if request.services_file is not None:
        return _find_unchosen(decision)
    project = decision.project
    if project is None or project.document is None:
        return ""
    tree = project.document.tree
    entries = (tree.get("services") if isinstance(tree, dict) else None) or ()
    own = [str(each["name"]) for each in entries if isinstance(each, dict) and "name" in each]
    if not own or any(name in decision.selection.sources for name in own):
        return ""
    names = ", ".join(own)
    return f"{project.file.name} describes {names}, which nobody chose: `with: [{names}]` in it starts them"


def _find_unchosen(decision: Decision) -> str:
    """The same of a catalog that was named for this start."""
    catalog, chosen = decision.catalog, decision.selection.sources
    own = list(catalog.entries)
    if not own or any(name in chosen for name in own):
        return ""
    return (
        f"{catalog.file} describes {', '.join(own)}, which nobody chose: `default: true` in an entry starts it, "
        f"and so does `--with {own[0]}`"
    )


def foresee_plan(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> Foreseen:
    """The same for who only wants to see it: writes nothing, and a taken port is told, not refused.

    Args:
        request: what was asked for.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        MissingToolError: programs that are needed are not installed; all of them at once.
        PrismError: a file cannot be read.
    """
    request = replace(request, is_trial=True)
    problems = Problems()
    inquiry = Inquiry(request, home, environment, working_directory)
    decision = settle(inquiry, problems)
    options = find_options(inquiry, decision)
    resolution = _resolve(inquiry, decision, options, problems)
    conflicts = name_holders(resolution.conflicts, home)
    if conflicts:
        options = replace(options, replaces_taken_ports=True)
        resolution = _resolve(inquiry, decision, options, problems)
    return Foreseen(_conclude(resolution.plan, decision, inquiry), tuple(conflicts))


def _resolve(
    inquiry: Inquiry, decision: Decision, options: PlanOptions, problems: Problems
) -> Resolution:
    """The plan on this machine.

    Raises:
        ConfigError: something is impossible; all of it.
        MissingToolError: programs that are needed are not installed.
    """
    home = inquiry.home
    held = set(ports_of(inquiry.request.held_by).values())
    resolution = resolve_plan(
        decision.selection,
        decision.catalog,
        decision.facts,
        options,
        is_free=lambda port: port in held or can_have(port, decision.stack, inquiry),
        who_has=lambda port: describe_who_has(port, home),
        problems=problems,
    )
    check_volumes(resolution.plan, decision.catalog, home, problems)
    return resolution


def _conclude(plan: StackPlan, decision: Decision, inquiry: Inquiry) -> StackPlan:
    """The plan with the files that it came from, and what holds for what is added to it."""
    project, profile = decision.project, decision.profile
    # An empty file gives the stack its name, and says nothing about what runs in it.
    project_file = str(project.file) if project is not None and project.document is not None else ""
    profile_file = str(profile.file) if profile is not None else ""
    services_file = inquiry.request.services_file
    catalog_file = str(inquiry.working_directory / services_file) if services_file else ""
    chosen = {key: setting.value for key, setting in decision.preferences.items()}
    terms = Terms(
        catalog=catalog_file,
        runtime=chosen["runtime"],
        auto_ports=chosen["auto_ports"],
        persist=chosen["persist"],
        watch=inquiry.request.watch,
    )
    return replace(
        plan,
        project=project_file,
        profile=profile_file,
        terms=terms,
        asked=note_request(inquiry),
    )


def find_options(inquiry: Inquiry, decision: Decision) -> PlanOptions:
    """What the plan depends on beside what was decided about services and machine."""
    request = inquiry.request
    stack = inquiry.home.stack(decision.stack)
    chosen = {key: setting.value for key, setting in decision.preferences.items()}
    patterns = decision.directory / "patterns"
    return PlanOptions(
        stack=decision.stack,
        data_directory=str(stack.data),
        environment=inquiry.environment,
        # What is no engine is a problem already.
        engine=chosen["engine"] if chosen["engine"] in ENGINES else "auto",
        runtime=_find_runtime(chosen["runtime"]),
        replaces_taken_ports=chosen["auto_ports"],
        replaceable_ports=request.replaceable_ports,
        current_ports=ports_of(request.held_by),
        persist=chosen["persist"],
        patterns_directory=str(patterns) if patterns.is_dir() else "",
        password_of=Passwords(stack, saves=not request.is_trial).find,
    )


def _find_runtime(word: str) -> Runtime | None:
    """The one that is preferred; ``None``: decided by what is there."""
    return Runtime(word) if word in RUNTIMES and word != "auto" else None


def check_volumes(plan: StackPlan, catalog: Catalog, home: Home, problems: Problems) -> None:
    """What a container is to see has to be there: Docker would make a directory that belongs to root.

    Raises:
        ConfigError: something is not there; with all problems so far.
    """
    ours = home.stack(plan.stack).data
    for service in plan.services:
        if service.runtime is not Runtime.CONTAINER:
            continue
        for index, volume in enumerate(service.volumes):
            host = Path(volume.partition(":")[0]).expanduser()
            if host.is_absolute() and not host.is_relative_to(ours) and not host.exists():
                problems.add(
                    f"{service.name}: there is no {host} to be a volume",
                    catalog.place(service.name, "volumes", index),
                    hint=f"`mkdir -p {shlex.quote(str(host))}` makes an empty one",
                )
    problems.raise_if_any()
