"""`profile save` and `profile delete`: what is meant, what would be lost, the question about it, and the file."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.cli.agreement import ask_for_agreement
from prismctl.cli.stack import open_stack, option_of
from prismctl.cli.starting import read_applied_plan
from prismctl.domain.presets import RANDOM
from prismctl.errors import ConfigError, Problem, UnavailableError
from prismctl.files.profile_uses import find_last_use, forget_use
from prismctl.files.profile_writing import draft_profile, new_file, plain_config, write_profile
from prismctl.files.profiles import (
    apply_profile,
    delete_profile,
    find_profile,
    is_file_name,
    load_profile,
)
from prismctl.files.text import name_for_people
from prismctl.planning import PlanRequest, choose_services
from prismctl.present.profiles import change_words, deletion_lines, saved_lines
from prismctl.present.text import clean, line
from prismctl.present.units import list_of, render_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.files.profile_writing import Draft
    from prismctl.files.profiles import Profile
    from prismctl.planning import Chosen

SCHEMA_VERSION: Final = 1
"""Of the documents; fields are only ever added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What was typed after ``profile save``."""

    name: str
    description: str | None
    """``None``: nothing was said about it."""
    is_from_running: bool
    request: PlanRequest
    """The flags that `start` has as well."""

    @property
    def seed(self) -> int | None:
        """What a random selection is drawn by, whether it was typed or not; ``None``: nothing is drawn."""
        return self.request.random_seed if self.request.preset == RANDOM else None

    @property
    def selecting_flags(self) -> list[str]:
        """The flags that choose services, those that were typed."""
        request = self.request
        flags = {
            "--preset": request.preset,
            "--profile": request.profile,
            "--with": request.with_services,
            "--without": request.without_services,
        }
        return [flag for flag, value in flags.items() if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What is to be saved; ``None`` is left as it is."""

    services: list[str] | None = None
    persist: bool | None = None
    config: Mapping[str, Any] | None = None
    catalog: Catalog | None = None
    origin: Profile | None = None
    notes: tuple[str, ...] = ()


def save_profile(call: Invocation, typed: Typed) -> None:
    """Save what was typed, or what runs.

    Raises:
        ConfigError: the name, the flags or a file say something impossible, or nobody can be asked.
        UnavailableError: nothing runs that could be saved.
        PrismError: home cannot be read or written.
        click.exceptions.Exit: somebody decided against it.
    """
    file = new_file(call.home, typed.name)
    content = _find_content(call, typed, is_new=not file.exists())
    draft = draft_profile(
        call.home,
        typed.name,
        services=content.services,
        description=typed.description,
        persist=content.persist,
        config=content.config,
        catalog=content.catalog,
        origin=content.origin,
    )
    if draft.is_change:
        _ask_to_replace(call, typed, draft)
        write_profile(call.home, draft)
    action = "added" if draft.is_new else "replaced" if draft.is_change else "unchanged"
    _tell_saved(call, typed, draft, action, content.notes)


def _find_content(call: Invocation, typed: Typed, *, is_new: bool) -> _Content:
    """What the flags mean.

    Raises:
        ConfigError: they mean nothing, or two things.
        UnavailableError: nothing runs that could be saved.
    """
    request = typed.request
    if typed.is_from_running:
        if typed.selecting_flags:
            flags = list_of([f"`{flag}`" for flag in typed.selecting_flags])
            problem = Problem(message=f"--from-running takes what runs, and {flags} something else")
            raise ConfigError((problem,), hint="leave one of them out")
        return _content_of_running(call, request)
    if typed.selecting_flags or request.services_file is not None:
        return _content_of_flags(_choose(call, request), request)
    if is_new or (typed.description is None and request.persist is None):
        problem = Problem(message=f"nothing says what to save as `{typed.name}`")
        raise ConfigError(
            (problem,),
            hint="add --preset, --profile or --with, or --from-running for what runs now",
        )
    return _Content(persist=request.persist)


def _choose(call: Invocation, request: PlanRequest) -> Chosen:
    return choose_services(
        request, home=call.home, environment=os.environ, working_directory=Path.cwd()
    )


def _content_of_flags(chosen: Chosen, request: PlanRequest) -> _Content:
    profile = chosen.profile
    persist = request.persist
    if persist is None and profile is not None:
        persist = profile.persist
    return _Content(
        services=list(chosen.selection.sources),
        persist=persist,
        config=None if profile is None else plain_config(profile),
        catalog=chosen.catalog,
        origin=profile,
    )


def _content_of_running(call: Invocation, request: PlanRequest) -> _Content:
    client = open_stack(call)
    plan = read_applied_plan(client)
    if plan is None:
        raise UnavailableError(
            f"stack `{call.stack}` has nothing running yet",
            hint=f"`prismctl dev wait{option_of(call.stack)}` waits for it",
        )
    # What a project or a preset would choose does not count; the catalog does.
    catalog = _choose(call, replace(request, picked=())).catalog
    strangers = [name for name in plan.names if catalog.find(name) is None]
    if strangers:
        raise ConfigError(
            [
                Problem(message=f"{name} runs, and {catalog.file} has no service of this name")
                for name in strangers
            ],
            hint="add --services FILE with the catalog that the stack was started from",
        )
    profile, notes = _profile_of_running(call, plan)
    config = {} if profile is None else plain_config(profile)
    changed = catalog if profile is None else apply_profile(catalog, profile)
    for service in plan.services:
        if service.replicas != changed.services[service.name].replicas:
            words = [word for word in config if catalog.full_name(word) == service.name]
            word = words[0] if words else service.name
            config[word] = {**(config.get(word) or {}), "replicas": service.replicas}
    return _Content(
        services=[name for name in catalog.names if name in plan.names],
        persist=request.persist or all(service.persist for service in plan.services),
        config=config,
        catalog=catalog,
        origin=profile,
        notes=notes,
    )


def _profile_of_running(
    call: Invocation, plan: StackPlan
) -> tuple[Profile | None, tuple[str, ...]]:
    """The profile that the stack was started from, and what to say about it."""
    if not plan.profile:
        return None, ()
    shown = name_for_people(Path(plan.profile))
    if not Path(plan.profile).exists():
        return None, (f"{shown}, which it was started from, is gone: its settings are not saved",)
    profile = load_profile(call.home, plan.profile)
    words = f"settings are those of {shown}, which it was started from"
    return profile, (words,) if profile.config else ()


def _ask_to_replace(call: Invocation, typed: Typed, draft: Draft) -> None:
    """Have somebody agree that a profile is written over.

    Raises:
        ConfigError: nobody can be asked.
        click.exceptions.Exit: somebody does not agree.
    """
    if draft.before is None or call.is_confirmed:
        return
    words = [f"{name_for_people(draft.file)} is there already"]
    words += change_words(draft.before, draft.profile)
    words += _tell_drawn(typed)
    if not call.can_ask:
        problem = Problem(message="; ".join(words))
        raise ConfigError((problem,), hint="add --yes to write over it, or take another name")
    ask_for_agreement(
        call,
        [line(clean(each)) for each in words],
        yes="write over it",
        no="leave it as it is",
        otherwise="nothing was written",
    )


def _tell_drawn(typed: Typed) -> list[str]:
    """How to have the same drawn again."""
    return [] if typed.seed is None else [f"`--preset=random --seed={typed.seed}` drew this"]


def _tell_saved(
    call: Invocation, typed: Typed, draft: Draft, action: str, notes: tuple[str, ...]
) -> None:
    profile = draft.profile
    document = {
        "schema": SCHEMA_VERSION,
        "name": profile.name,
        "file": name_for_people(draft.file),
        "action": action,
        "description": profile.description,
        "services": list(profile.services),
        "persist": profile.persist,
        "notes": [*_tell_drawn(typed), *notes],
    }
    if typed.seed is not None:
        document["seed"] = typed.seed
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    words = ["prismctl dev start", f"--profile {shlex.quote(profile.name)}"]
    if typed.request.services_file is not None:
        # A profile names services, and no catalog.
        words.append(f"--services {shlex.quote(str(typed.request.services_file))}")
    if not call.is_quiet:
        call.write_lines(saved_lines(document, start=" ".join(words), width=call.width))


def remove_profile(call: Invocation, name: str) -> None:
    """Remove a saved profile, and tell where it was.

    Raises:
        ConfigError: there is none of that name, or nobody can be asked.
        PrismError: it cannot be removed.
        click.exceptions.Exit: somebody decided against it.
    """
    import time

    file = find_profile(call.home, name, Path.cwd())
    used_at = find_last_use(call.home, name)
    if not call.is_confirmed and not is_file_name(name):
        used = (
            "" if used_at is None else f", last used {render_duration(time.time() - used_at)} ago"
        )
        words = f"{name_for_people(file)} will be gone{used}"
        if not call.can_ask:
            problem = Problem(message=f"{words}: that has to be confirmed")
            raise ConfigError((problem,), hint="add --yes")
        ask_for_agreement(
            call,
            [line(clean(words))],
            yes="delete it",
            no="keep it",
            otherwise="nothing was deleted",
        )
    removed = delete_profile(call.home, name)
    forget_use(call.home, name)
    document = {
        "schema": SCHEMA_VERSION,
        "name": name,
        "file": name_for_people(removed),
        "action": "deleted",
    }
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
    elif not call.is_quiet:
        call.write_lines(deletion_lines(document))
