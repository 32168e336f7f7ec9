"""Puts what was said in order, the highest layer first: which services shall run, and how the stack is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.choice import Refusal, choose_runtime
from prismctl.domain.plan import ENGINES
from prismctl.domain.precedence import Given
from prismctl.domain.presets import PRESETS, RANDOM, draw_preset
from prismctl.domain.selection import Addition, Layer, find_preset, preset_layer, select_services
from prismctl.domain.service import ServiceType
from prismctl.files.preferences import settle_preferences
from prismctl.files.settings import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.offering import Catalog
    from prismctl.domain.precedence import Setting
    from prismctl.domain.problems import Problems
    from prismctl.domain.selection import Selection
    from prismctl.domain.service import StackName
    from prismctl.files.profiles import Profile
    from prismctl.files.project import Project
    from prismctl.planning.loading import Files
    from prismctl.planning.request import PlanRequest

_DRAWABLE_TYPES = frozenset({ServiceType.BACKEND, ServiceType.MESSAGING})


def check_words(request: PlanRequest, problems: Problems) -> None:
    """What can be judged without a catalog: it is worth telling beside the catalog's own mistakes."""
    if request.preset and request.preset != RANDOM:
        find_preset(request.preset, problems)
    if request.engine and request.engine not in ENGINES:
        problems.add_unknown("engine", request.engine, ENGINES)
    if request.runtime and request.runtime not in RUNTIMES:
        problems.add_unknown("runtime", request.runtime, RUNTIMES)


def layer_selection(
    request: PlanRequest, files: Files, catalog: Catalog, facts: MachineFacts, problems: Problems
) -> Selection:
    """Which services shall run, by the highest layer that names any.

    Args:
        request: what was said on the spot.
        files: what is written.
        catalog: what there is to choose from.
        facts: about the machine: a random preset draws what can run on it.
        problems: gets what is impossible.
    """
    project, profile = files.project, files.profile
    layers: list[Layer | None] = []
    additions = [Addition(word, "--with") for word in request.with_services]
    removals = [Addition(word, "--without") for word in request.without_services]
    if request.picked is not None:
        layers.append(Layer("picker", request.picked))
    if profile is not None:
        layers.append(_profile_layer(profile, project, is_typed=bool(request.profile)))
    if request.preset:
        layer = _preset_layer(request.preset, request, catalog, facts, problems)
        layers.append(layer and layer._replace(source="--preset"))
    is_said = any(layers)
    # One that is overruled is named as such, if it can be; it need not even exist.
    if project is not None and project.preset and (not is_said or project.preset in PRESETS):
        layer = _preset_layer(project.preset, request, catalog, facts, problems)
        place = project.place("preset")
        layers.append(layer and layer._replace(source=project.file.name, place=place))
    if project is not None and not is_said:
        additions = _project_additions(project, "with", project.with_services) + additions
        removals = _project_additions(project, "without", project.without_services) + removals
    return select_services(
        catalog, layers, additions=additions, removals=removals, problems=problems
    )


def layer_settings(request: PlanRequest, files: Files, stack: StackName) -> dict[str, Setting]:
    """How the stack is run: each setting of the whole stack with its value and where that comes from, by key."""
    return settle_preferences(
        _typed_settings(request),
        settings=files.settings,
        project=files.project,
        profile=files.profile,
        stack=stack,
    )


def _typed_settings(request: PlanRequest) -> dict[str, Given]:
    """What was said on the spot about how the stack is run."""
    words = {
        "engine": request.engine,
        "runtime": request.runtime,
        "auto_ports": request.auto_ports,
        "persist": request.persist,
        "on_failure": request.on_failure,
        "wait_timeout": request.wait_seconds,
    }
    return {
        key: Given(value, f"--{key.replace('_', '-')}")
        for key, value in words.items()
        if value not in {"", None}
    }


def _preset_layer(
    word: str, request: PlanRequest, catalog: Catalog, facts: MachineFacts, problems: Problems
) -> Layer | None:
    if word == RANDOM:
        from random import Random

        candidates = [
            name
            for name, definition in catalog.services.items()
            if definition.type in _DRAWABLE_TYPES
            and not isinstance(choose_runtime(definition, facts), Refusal)
        ]
        random = Random(request.random_seed)  # noqa: S311 - a surprise, not a secret
        return preset_layer(draw_preset(random, candidates))
    preset = find_preset(word, problems)
    return preset_layer(preset) if preset else None


def _profile_layer(profile: Profile, project: Project | None, *, is_typed: bool) -> Layer:
    """What a profile names, chosen by a flag or by the project's file."""
    layer = Layer(f"profile {profile.name}", profile.services, profile.places, "--profile")
    if is_typed or project is None:
        return layer
    return layer._replace(source=project.file.name, place=project.place("profile"))


def _project_additions(project: Project, key: str, words: Sequence[str]) -> list[Addition]:
    return [
        Addition(word, project.file.name, project.place(key, index))
        for index, word in enumerate(words)
    ]
