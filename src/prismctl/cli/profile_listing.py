"""What is saved, as documents: all profiles, or one with the services that it comes to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.snapshot import render_time
from prismctl.errors import ConfigError, PrismError
from prismctl.files.profile_schema import ensure_profile_schema
from prismctl.files.profile_uses import find_last_use
from prismctl.files.profiles import list_profiles, load_profile, saved_file
from prismctl.files.text import name_for_people

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.files.profiles import Profile

SCHEMA_VERSION: Final = 1
"""Of the documents; fields are only ever added."""


def describe_profiles(call: Invocation) -> dict[str, Any]:
    """All saved profiles; one that cannot be read says why, and the rest is told all the same."""
    now = time.time()
    ensure_profile_schema(call.home)
    return {
        "schema": SCHEMA_VERSION,
        "directory": name_for_people(call.home.profiles),
        "profiles": [_describe_saved(call, name, now) for name in list_profiles(call.home)],
    }


def _describe_saved(call: Invocation, name: str, now: float) -> dict[str, Any]:
    used_at = find_last_use(call.home, name)
    problems: list[str] = []
    profile = None
    file = call.home.profiles / f"{name}.yaml"
    try:
        file = saved_file(call.home, name)
        profile = load_profile(call.home, name)
    except ConfigError as error:
        problems = [str(each) for each in error.problems]
    except PrismError as error:
        problems = [error.message]
    return {
        "name": name,
        "file": name_for_people(file),
        "description": profile.description if profile else "",
        "services": list(profile.services) if profile else [],
        "persist": profile.persist if profile else False,
        "last_used_at": render_time(used_at),
        "last_used_seconds": None if used_at is None else round(max(0.0, now - used_at), 3),
        "problems": problems,
    }


def describe_profile(call: Invocation, name: str) -> dict[str, Any]:
    """What one profile says, and which services it starts with the catalog in use.

    Raises:
        ConfigError: there is none, or it has mistakes, or names what the catalog has not; all of it.
        PrismError: it cannot be read.
    """
    from prismctl.planning import PlanRequest, choose_services

    chosen = choose_services(
        PlanRequest(profile=name, is_trial=True),
        home=call.home,
        environment=os.environ,
        working_directory=Path.cwd(),
    )
    profile = chosen.profile
    if profile is None:
        raise AssertionError("a profile that was asked for by name is in the answer")
    return {
        "schema": SCHEMA_VERSION,
        **_describe_written(profile),
        "starts": [
            {"name": service, "source": source}
            for service, source in chosen.selection.sources.items()
        ],
    }


def _describe_written(profile: Profile) -> dict[str, Any]:
    tree: Any = profile.document.tree if profile.document else {}
    return {
        "name": profile.name,
        "file": name_for_people(profile.file) if profile.file else "",
        "description": profile.description,
        "services": list(profile.services),
        "persist": profile.persist,
        "config": tree.get("config") or {},
    }
