"""Loads every file that has a say: project, settings, catalog, profile; their mistakes are told together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from prismctl.domain.problems import shorten
from prismctl.errors import ConfigError
from prismctl.files import catalog as catalog_file
from prismctl.files.project import find_stack_name, load_project, load_project_catalog
from prismctl.files.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.domain.offering import Catalog
    from prismctl.domain.problems import Problems
    from prismctl.domain.service import StackName
    from prismctl.files.profiles import Profile
    from prismctl.files.project import Project
    from prismctl.planning.request import Inquiry

_Loaded = TypeVar("_Loaded")


class Files(NamedTuple):
    """What the files say that count where somebody stands, but for the catalog."""

    project: Project | None
    settings: Settings
    profile: Profile | None
    """The one that has a say, the project's own included."""
    directory: Path
    """Of the project, else where somebody stands."""


def load_files(inquiry: Inquiry, problems: Problems) -> Files:
    """Load all but the catalog.

    Args:
        inquiry: what is asked for, and where.
        problems: gets their mistakes; what has any is as if it were not there.

    Raises:
        PrismError: a file cannot be read.
    """
    project = _collect(lambda: load_project(inquiry.working_directory), problems)
    settings = _collect(lambda: load_settings(inquiry.home), problems) or Settings()
    profile = _load_profile(inquiry, project, problems)
    directory = project.directory if project else inquiry.working_directory
    return Files(project, settings, profile, directory)


def load_catalog(
    inquiry: Inquiry, files: Files, problems: Problems, *, locates: bool = False
) -> Catalog:
    """Load what there is to choose from, without what the profile changes.

    Args:
        inquiry: what is asked for, and where.
        files: the project among them may have services of its own.
        problems: found so far.
        locates: a catalog that nobody has edited is read as well, so that each value knows its line.

    Raises:
        ConfigError: the catalog has mistakes, and nothing can go on without it; with all problems so far.
        PrismError: a file cannot be read, or home not be written.
    """
    catalog = _collect(lambda: _read_catalog(inquiry, files.project, locates=locates), problems)
    if catalog is None:
        problems.raise_if_any()
        raise AssertionError("a catalog that could not be loaded has problems")
    return catalog


def apply_profile(files: Files, catalog: Catalog, problems: Problems) -> Catalog:
    """The catalog with what the profile changes; without it, where the profile has mistakes."""
    profile = files.profile
    if profile is None:
        return catalog
    from prismctl.files import profiles

    return _collect(lambda: profiles.apply_profile(catalog, profile), problems) or catalog


def find_stack(inquiry: Inquiry, problems: Problems) -> StackName:
    """The stack that is meant, by flag, environment or project."""
    name = find_stack_name(inquiry.request.stack, inquiry.environment, inquiry.working_directory)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        problems.add(
            f"stack name `{shorten(name)}` is impossible: lower case letters, digits and `-`"
        )
    return name


def _read_catalog(inquiry: Inquiry, project: Project | None, *, locates: bool) -> Catalog:
    request = inquiry.request
    if request.services_file is not None:
        path = inquiry.working_directory / request.services_file
        return catalog_file.load_catalog(inquiry.home, path, locates=locates)
    return load_project_catalog(
        inquiry.home, project, creates=not request.is_trial, locates=locates
    )


def _load_profile(inquiry: Inquiry, project: Project | None, problems: Problems) -> Profile | None:
    request = inquiry.request
    name, directory = request.profile, inquiry.working_directory
    # A project's own profile is for who says nothing.
    if not name and project is not None and not request.names_selection:
        name, directory = project.profile, project.directory
    if not name:
        return None
    from prismctl.files.profiles import load_profile

    # What it names is looked for in the catalog as well, whatever else is wrong with it.
    return _collect(
        lambda: load_profile(inquiry.home, name, directory, problems=problems), problems
    )


def _collect(load: Callable[[], _Loaded], problems: Problems) -> _Loaded | None:
    """What was loaded; ``None``, once its problems are noted."""
    try:
        return load()
    except ConfigError as error:
        problems.found += error.problems
        problems.add_hint(error.hint)
        return None
