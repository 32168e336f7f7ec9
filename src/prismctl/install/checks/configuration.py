"""The files that people write: whether a start could read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED
from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog import load_catalog
from prismctl.files.project import load_project, settle_settings
from prismctl.files.settings import Settings, load_settings
from prismctl.install.checks.finding import Finding, State
from prismctl.install.checks.surroundings import Misread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from prismctl.files.paths import Home

_Loaded = TypeVar("_Loaded")


def read_catalog(home: Home, misread: list[Misread]) -> Catalog:
    """The catalog of a home, and the packaged one where it cannot be used; why is noted."""
    try:
        return load_catalog(home, creates=False)
    except PrismError as error:
        misread.append(_describe(error, "prismctl dev catalog validate"))
    except PermissionError:
        # Nobody may look into this home; that is said of home.
        pass
    return Catalog(services=PACKAGED, file="", is_generated=True)


def read_others(home: Home, working_directory: Path, misread: list[Misread]) -> Settings:
    """The settings that count here; why settings or the project's file cannot be used is noted."""
    settings = _read(lambda: load_settings(home), misread) or Settings()
    project = _read(lambda: load_project(working_directory), misread)
    return settle_settings(settings, project)


def _read(load: Callable[[], _Loaded], misread: list[Misread]) -> _Loaded | None:
    try:
        return load()
    except PrismError as error:
        misread.append(_describe(error, "prismctl dev start --dry-run"))
    except PermissionError:
        # Nobody may look into this home; that is said of home.
        pass
    return None


def judge_configuration(misread: Sequence[Misread]) -> tuple[Finding, ...]:
    """One finding for each file with mistakes; one for all of them when there are none."""
    if not misread:
        words = "catalog, settings and project file have no mistakes"
        return (_finding(State.FINE, words),)
    return tuple(_finding(State.PROBLEM, each.message, each.hint) for each in misread)


def _describe(error: PrismError, command: str) -> Misread:
    if not isinstance(error, ConfigError):
        return Misread(message=error.message, hint=error.hint)
    first = str(error.problems[0])
    more = len(error.problems) - 1
    words = f"{first} (and {more} more)" if more else first
    return Misread(message=words, hint=f"{command}   (lists every mistake)")


def _finding(state: State, detail: str, fix: str = "") -> Finding:
    return Finding(name="configuration", title="configuration", state=state, detail=detail, fix=fix)
