"""Decides all that a plan is made from, but for the machine: the services, and how the stack is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.problems import Problems
from prismctl.planning.layering import check_words, layer_selection, layer_settings
from prismctl.planning.loading import apply_profile, find_stack, load_catalog, load_files
from prismctl.planning.machine_facts import look_at_machine
from prismctl.planning.request import Inquiry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.offering import Catalog
    from prismctl.domain.precedence import Setting
    from prismctl.domain.selection import Selection
    from prismctl.domain.service import StackName
    from prismctl.files.paths import Home
    from prismctl.files.profiles import Profile
    from prismctl.files.project import Project
    from prismctl.planning.request import PlanRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was said on all layers, put in order: all that a plan is made from, but for the machine."""

    stack: StackName
    project: Project | None
    profile: Profile | None
    preferences: Mapping[str, Setting]
    """The settings of the whole stack, by key."""
    written: Catalog
    """Before the profile."""
    catalog: Catalog
    """With what the profile changes."""
    selection: Selection
    facts: MachineFacts
    directory: Path
    """Of the project, else where somebody stands."""


class Chosen(NamedTuple):
    """Which services shall run, and what was asked for that; nothing of the machine is decided."""

    selection: Selection
    catalog: Catalog
    """Without what the profile changes."""
    profile: Profile | None
    """The one that has a say in it, the project's own included."""


def decide(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
    locates: bool = True,
) -> Decision:
    """What `make_plan` would go by, for whoever wants to know why; ports and programs are not looked for.

    Args:
        request: what was asked for.
        home: of the user; gets a catalog if it has none, unless the request is a trial.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.
        locates: a catalog that nobody has edited is read as well, so that each value knows its line.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        PrismError: a file cannot be read, or home not be written.
    """
    problems = Problems()
    inquiry = Inquiry(request, home, environment, working_directory)
    decision = settle(inquiry, problems, locates=locates)
    problems.raise_if_any()
    return decision


def settle(inquiry: Inquiry, problems: Problems, *, locates: bool = False) -> Decision:
    """The same, for whoever goes on with it and tells all problems in the end.

    Args:
        inquiry: what is asked for, and where.
        problems: gets what is impossible.
        locates: each value of the catalog shall know its line.

    Raises:
        ConfigError: the catalog has mistakes; with all problems so far.
        PrismError: a file cannot be read, or home not be written.
    """
    request = inquiry.request
    stack = find_stack(inquiry, problems)
    check_words(request, problems)
    files = load_files(inquiry, problems)
    written = load_catalog(inquiry, files, problems, locates=locates)
    catalog = apply_profile(files, written, problems)
    facts = look_at_machine(inquiry, files)
    return Decision(
        stack=stack,
        project=files.project,
        profile=files.profile,
        preferences=layer_settings(request, files, stack),
        written=written,
        catalog=catalog,
        selection=layer_selection(request, files, catalog, facts, problems),
        facts=facts,
        directory=files.directory,
    )


def choose_services(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> Chosen:
    """Decide which services shall run, and nothing else: no port has to be free for it, and no program installed.

    Args:
        request: what was asked for.
        home: of the user; gets a catalog if it has none, unless the request is a trial.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        PrismError: a file cannot be read, or home not be written.
    """
    problems = Problems()
    inquiry = Inquiry(request, home, environment, working_directory)
    check_words(request, problems)
    files = load_files(inquiry, problems)
    catalog = load_catalog(inquiry, files, problems)
    # Its mistakes are told, though what it changes plays no part here.
    apply_profile(files, catalog, problems)
    facts = look_at_machine(inquiry, files)
    selection = layer_selection(request, files, catalog, facts, problems)
    problems.raise_if_any()
    return Chosen(selection, catalog, files.profile)


def settle_settings(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> dict[str, Setting]:
    """How the stack is run, and nothing else: each setting of the whole stack, by key, with where its value comes from.

    Args:
        request: what was asked for.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        PrismError: a file cannot be read.
    """
    problems = Problems()
    inquiry = Inquiry(request, home, environment, working_directory)
    stack = find_stack(inquiry, problems)
    check_words(request, problems)
    files = load_files(inquiry, problems)
    problems.raise_if_any()
    return layer_settings(request, files, stack)
