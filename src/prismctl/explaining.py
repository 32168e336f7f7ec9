"""Answers why: each setting of a stack and of its services with the layer it came from, and those that it beat.

What is decided is decided elsewhere, by the code that a start goes through; here it is only asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from prismctl.domain.addressing import describe_holder
from prismctl.domain.moved_ports import describe_move
from prismctl.domain.packaged import PACKAGED
from prismctl.domain.plan import compare_plans
from prismctl.domain.precedence import DEFAULT, Given, Setting
from prismctl.domain.problems import NOWHERE, nearest_name, shorten
from prismctl.domain.selection import REQUIRED, Addition, find_needing
from prismctl.domain.service import ServiceDefinition
from prismctl.domain.service_settings import (
    DESCRIPTIVE_KEYS,
    ServiceLayer,
    explain_service,
    known_keys,
    related_keys,
)
from prismctl.errors import ConfigError, MissingToolError, PrismError, Problem
from prismctl.planning import ask_again, decide, foresee_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan, StackPlan
    from prismctl.domain.problems import Place
    from prismctl.domain.selection import Layer, Selection
    from prismctl.domain.service import ServiceName
    from prismctl.files.paths import Home
    from prismctl.files.project import Project
    from prismctl.planning import Decision, PlanRequest

SERVICES_KEY: Final = "services"
_NOT_CHOSEN: Final = "not chosen"
_TAKEN_AWAY: Final = "removed from what runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One selection with all that can be asked about it."""

    decision: Decision
    plan: StackPlan | None = None
    """What this machine makes of it; ``None`` where it lacks what that takes."""
    obstacle: str = ""
    """What it lacks."""
    holders: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Who has a port that somebody wrote, by service and port name."""
    running: StackPlan | None = None
    """What runs, where it is about that, as it was asked for; ``plan`` is the same."""
    outdated: frozenset[ServiceName] = frozenset()
    """Those of what runs that would run differently, were they started again: a file has changed."""

    def list_keys(self) -> list[str]:
        """Everything that can be asked for: settings of the stack, services, settings of services."""
        services = self.decision.catalog.services
        return [
            *self.decision.preferences,
            SERVICES_KEY,
            *services,
            *(f"{name}.{key}" for name, each in services.items() for key in known_keys(each)),
        ]

    def explain(self, key: str) -> Setting:
        """Where a value comes from.

        Raises:
            ConfigError: there is no such key.
        """
        if key == SERVICES_KEY:
            return self._explain_services()
        if key in self.decision.preferences:
            return self._with_outcome(self.decision.preferences[key])
        word, _, rest = key.partition(".")
        definition = self.decision.catalog.find(word)
        if definition is not None and not rest:
            return self._explain_membership(definition.name)
        if definition is not None and rest in known_keys(definition):
            return self._explain_service(definition, rest)
        raise self._unknown(key, definition)

    def explain_all(self, *, names_defaults: bool) -> Iterator[Setting]:
        """Settings of the stack, its services, and what somebody has said about them.

        Args:
            names_defaults: what nobody has said anything about as well, and what only describes a service.
        """
        for key in self.decision.preferences:
            yield self.explain(key)
        yield self._explain_services()
        for name in self.decision.selection.sources:
            yield self._explain_membership(name)
            definition = self._definition(name)
            known = _keys_told_otherwise(definition)
            for key in known_keys(definition):
                setting = self._explain_service(definition, key)
                if names_defaults or not (setting.is_default or key in known):
                    yield setting

    def explain_differences(self, name: ServiceName) -> Iterator[Setting]:
        """What is different about a service from what ships, or from where one that does not ship is first described."""
        definition = self._definition(name)
        layers = self._layers(name)
        first = "" if name in PACKAGED or not layers else layers[0].source
        # Each variable is told by itself.
        known = {*_keys_told_otherwise(definition), "env"}
        told: set[Place] = set()
        for key in known_keys(definition):
            setting = self._explain_service(definition, key)
            is_same = setting.is_default or setting.source == first
            if key in known or is_same or setting.value == setting.beaten[-1].value:
                continue
            # One line of a file can mean two settings; it is told as the first.
            if setting.place == NOWHERE or setting.place not in told:
                told.add(setting.place)
                yield setting

    def is_service(self, key: str) -> bool:
        """Whether a key asks why a service is in the stack, rather than for a value."""
        return (
            key != SERVICES_KEY
            and key not in self.decision.preferences
            and self.decision.catalog.find(key) is not None
        )

    def explain_absence(self, key: str, other: Explanation) -> Setting | None:
        """Why the service that a key is about is not in this one, where it is in another one."""
        definition = self.decision.catalog.find(key.partition(".")[0])
        if definition is None or definition.name in self.decision.selection.sources:
            return None
        is_there = definition.name in other.decision.selection.sources
        return self._explain_membership(definition.name) if is_there else None

    def is_outdated(self, key: str) -> bool:
        """Whether a setting of a service may be another one in what runs: a file was changed after it was started."""
        definition = self.decision.catalog.find(key.partition(".")[0])
        return definition is not None and definition.name in self.outdated

    def related(self, key: str) -> tuple[str, ...]:
        """Other keys that go by the same name somewhere, where they have been given a value."""
        word, _, rest = key.partition(".")
        definition = self.decision.catalog.find(word)
        if definition is None or rest not in known_keys(definition):
            return ()
        return tuple(
            f"{definition.name}.{each}"
            for each in related_keys(definition, rest)
            if not self._explain_service(definition, each).is_default
        )

    def _explain_services(self) -> Setting:
        chosen = self.decision.selection.chosen_by
        if chosen is None:
            raise AssertionError("a selection that was decided knows who chose")
        return replace(
            chosen,
            value=chosen.value.origin,
            beaten=tuple(each._replace(value=each.value.origin) for each in chosen.beaten),
            outcome=", ".join(self.decision.selection.sources),
        )

    def _with_outcome(self, setting: Setting) -> Setting:
        if setting.key != "engine" or setting.value != "auto":
            return setting
        if self.plan is None:
            return replace(setting, outcome=self.obstacle)
        reason = self.plan.engine_reason
        why = f": {reason}" if reason else ""
        return replace(setting, outcome=f"{self.plan.engine.value}{why}")

    def _explain_service(self, definition: ServiceDefinition, key: str) -> Setting:
        name = definition.name
        preferences = self.decision.preferences
        overrules: list[Given] = []
        below: list[Given] = []
        if key == "persist" and preferences["persist"].value:
            everywhere = preferences["persist"]
            overrules = [Given(everywhere.value, everywhere.source, everywhere.place)]
        if key == "runtime":
            preferred = preferences["runtime"]
            below = [
                Given(preferred.value, preferred.source, preferred.place),
                *preferred.beaten,
            ]
        setting = explain_service(
            name,
            key,
            packaged=PACKAGED.get(name) or ServiceDefinition(name=name),
            layers=self._layers(name),
            overrules=overrules,
            preferences=below,
        )
        return replace(setting, outcome=self._outcome(name, key))

    def _layers(self, name: ServiceName) -> list[ServiceLayer]:
        """The files that say something about a service, the lowest first."""
        layers = [
            ServiceLayer(
                version.document.file.rpartition("/")[2],
                version.document,
                ("services", version.position),
                version.definition,
            )
            for version in self.decision.written.versions.get(name, ())
        ]
        profile = self.decision.profile
        if profile is None or profile.document is None:
            return layers
        catalog = self.decision.catalog
        layers += [
            ServiceLayer(
                f"profile {profile.name}",
                profile.document,
                ("config", word),
                catalog.services[name],
                is_profile=True,
            )
            for word in profile.config
            if catalog.full_name(word) == name
        ]
        return layers

    def _planned(self, name: ServiceName) -> ServicePlan | None:
        if self.plan is None or name not in self.plan.names:
            return None
        return self.plan.service(name)

    def _outcome(self, name: ServiceName, key: str) -> str:
        """What the machine makes of a setting, where that is more than its value."""
        if name not in self.decision.selection.sources:
            return f"{name} is not in this stack"
        planned = self._planned(name)
        if key == "runtime":
            if planned is None:
                return self.obstacle
            why = f": {planned.runtime_reason}" if planned.runtime_reason else ""
            return f"{planned.runtime.value}{why}"
        if planned is None:
            return ""
        return self._outcome_of_ports(planned, key) if key.startswith("port") else ""

    def _outcome_of_ports(self, planned: ServicePlan, key: str) -> str:
        name = planned.name
        wanted = {port.name: port.wanted for port in self._definition(name).ports}
        asked = key.partition(".")[2]
        ports = planned.ports[:1] if key == "port" else planned.ports
        parts = []
        for port in ports:
            if asked and port.name != asked:
                continue
            lead = f"{port.name} " if key == "ports" else ""
            holder = self.holders.get((name, port.name))
            if holder:
                parts.append(f"{lead}{wanted[port.name]} is taken by {holder}")
            elif port.host_port != wanted.get(port.name):
                parts.append(f"{lead}{describe_move(port) or port.host_port}")
        return ", ".join(parts)

    def _definition(self, name: ServiceName) -> ServiceDefinition:
        return self.decision.catalog.services[name]

    def _explain_membership(self, name: ServiceName) -> Setting:
        source = self.decision.selection.sources.get(name)
        if source is None:
            removed = self.decision.selection.removed.get(name)
            if removed is not None:
                return Setting(key=name, value=False, source=removed.source, place=removed.place)
            hint = (
                f"`prismctl dev add {name}` adds it"
                if self.running is not None
                else f"`--with {name}` adds it"
            )
            return Setting(key=name, value=False, source=_NOT_CHOSEN, outcome=hint)
        return Setting(
            key=name,
            value=True,
            source=source,
            place=self._place_of_source(name, source),
            outcome=", ".join(self._chain(source)),
        )

    def _chain(self, source: str) -> Iterator[str]:
        """Of what only came along: why those are there that need it, up to somebody's own choice."""
        while needing := find_needing(source):
            found = self.decision.selection.sources.get(self.decision.catalog.full_name(needing))
            if found is None:
                return
            yield f"{needing}: {found}"
            source = found

    def _place_of_source(self, name: ServiceName, source: str) -> Place:
        chosen = self.decision.selection.chosen_by
        project = self.decision.project
        if source in {REQUIRED, DEFAULT}:
            return self._place_written(name, source)
        if needing := find_needing(source):
            return self._place_written(self.decision.catalog.full_name(needing), "depends_on")
        if project is not None and source == project.file.name:
            return self._place_of_addition(name, project)
        layer: Layer | None = chosen.value if chosen is not None else None
        if layer is None or source != layer.origin:
            return NOWHERE
        for word, place in zip(layer.services, layer.places, strict=False):
            if self.decision.catalog.full_name(word) == name:
                return place
        return layer.place

    def _place_written(self, name: ServiceName, key: str) -> Place:
        for layer in reversed(self._layers(name)):
            path = (*layer.path, key)
            if path in layer.document.keys:
                return layer.document.place_of_key(path)
        return NOWHERE

    def _place_of_addition(self, name: ServiceName, project: Project) -> Place:
        for index, word in enumerate(project.with_services):
            if self.decision.catalog.full_name(word) == name:
                return project.place("with", index)
        return NOWHERE

    def _unknown(self, key: str, definition: ServiceDefinition | None) -> ConfigError:
        """The refusal of a key that is not there, with the nearest that is."""
        if definition is not None:
            # The service is right: what is wrong is what follows.
            known = known_keys(definition)
            word = key.partition(".")[2]
            beginning = sorted((each for each in known if word and each.startswith(word)), key=len)
            meant = nearest_name(word, known) or next(iter(beginning), "")
            suggestion = f"{definition.name}.{meant}" if meant else ""
        else:
            suggestion = nearest_name(key, self.list_keys())
        problem = Problem(message=f"unknown key `{shorten(key)}`", suggestion=suggestion)
        return ConfigError([problem], hint="`prismctl dev config show -v` lists every key")


def _keys_told_otherwise(definition: ServiceDefinition) -> set[str]:
    """What only describes a service, and the first of several ports, which goes by its own name as well."""
    return {*DESCRIPTIVE_KEYS, *(f"ports.{each.name}" for each in definition.ports[:1])}


def explain_selection(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> Explanation:
    """Find out what can be told about a selection; changes nothing.

    Args:
        request: what was asked for.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        PrismError: a file cannot be read.
    """
    request = replace(request, is_trial=True)
    explanation = Explanation(
        decision=decide(
            request, home=home, environment=environment, working_directory=working_directory
        ),
    )
    try:
        plan, conflicts = foresee_plan(
            request, home=home, environment=environment, working_directory=working_directory
        )
    except MissingToolError as error:
        obstacle = "; ".join(map(str, error.problems)) or error.message
        return replace(explanation, obstacle=obstacle)
    holders: dict[tuple[str, str], str] = {
        (each.service, each.port_name): describe_holder(each.holder) or "another process"
        for each in conflicts
    }
    return replace(explanation, plan=plan, holders=holders)


def explain_running(
    running: StackPlan,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> Explanation:
    """Find out why what runs is as it is, from what it was started with; changes nothing.

    What was added and removed since counts as well.

    Args:
        running: what runs.
        home: of the user.
        environment: of the one who asks.
        working_directory: absolute; of the one who asks.

    Raises:
        ConfigError: the files that it was started from say something impossible by now; all of it at once.
        PrismError: a file cannot be read.
    """
    request, directory = ask_again(running, working_directory)
    try:
        decision = decide(request, home=home, environment=environment, working_directory=directory)
    except ConfigError as error:
        raise ConfigError(
            error.problems,
            hint=error.hint,
            subject=f"what stack `{running.stack}` was started from",
        ) from error
    decision = replace(decision, selection=_selection_of(running, decision))
    try:
        again, _ = foresee_plan(
            request, home=home, environment=environment, working_directory=directory
        )
        outdated = frozenset(compare_plans(running, again).changed)
    except PrismError:
        # What it takes to start it again is another question.
        outdated = frozenset()
    return Explanation(decision=decision, plan=running, running=running, outdated=outdated)


def _selection_of(running: StackPlan, decision: Decision) -> Selection:
    """What runs, each with why it is there, in the catalog's order."""
    reasons = {service.name: service.source for service in running.services}
    chosen = decision.selection
    gone = {name: Addition(name, _TAKEN_AWAY) for name in chosen.sources if name not in reasons}
    return chosen._replace(
        origin=running.origin,
        sources={name: reasons[name] for name in decision.catalog.services if name in reasons},
        removed={**chosen.removed, **gone},
    )
