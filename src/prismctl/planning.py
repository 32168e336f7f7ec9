"""From what somebody typed to a plan: loads the files, looks at the machine, and lets the domain decide.

The one place where files and machine meet. Front ends call `make_plan`; it changes nothing but a home
that has no catalog yet.
"""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

from prismctl.domain.addressing import describe_holder
from prismctl.domain.choice import Refusal, choose_runtime
from prismctl.domain.port_owner import (
    advise_on_container,
    stop_command,
)
from prismctl.domain.precedence import Given
from prismctl.domain.presets import PRESETS, RANDOM, draw_preset
from prismctl.domain.problems import Problems, shorten
from prismctl.domain.resolve import PlanOptions, resolve_plan
from prismctl.domain.selection import (
    Addition,
    Layer,
    find_needing,
    find_preset,
    preset_layer,
    select_services,
)
from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceType
from prismctl.errors import ConfigError, PrismError, Problem
from prismctl.files.catalog import load_catalog
from prismctl.files.passwords import Passwords
from prismctl.files.preferences import settle_preferences
from prismctl.files.program_versions import read_version
from prismctl.files.project import find_stack_name, load_project
from prismctl.files.settings import ENGINES, RUNTIMES, Settings, load_settings
from prismctl.files.stack_owners import recognize_stack
from prismctl.machine import gather_facts, is_port_free, reserve_port, who_holds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.addressing import PortConflict
    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.containers import ContainerFacts
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan import StackPlan
    from prismctl.domain.precedence import Setting
    from prismctl.domain.selection import Selection
    from prismctl.domain.service import ServiceName, StackName
    from prismctl.files.paths import Home
    from prismctl.files.profiles import Profile
    from prismctl.files.project import Project

_DRAWABLE_TYPES = frozenset({ServiceType.BACKEND, ServiceType.MESSAGING})

_Loaded = TypeVar("_Loaded")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What somebody typed or picked; empty means that they said nothing about it."""

    preset: str = ""
    profile: str = ""
    picked: tuple[str, ...] | None = None
    """What was chosen in the picker; ``None``: there was none."""
    with_services: tuple[str, ...] = ()
    without_services: tuple[str, ...] = ()
    services_file: Path | None = None
    """A catalog for this one call."""
    engine: str = ""
    runtime: str = ""
    auto_ports: bool | None = None
    replaceable_ports: frozenset[tuple[str, str]] = frozenset()
    """By service and port name: these are replaced where they are taken, whatever ``auto_ports`` says."""
    persist: bool | None = None
    on_failure: str = ""
    wait_seconds: float | None = None
    """Both are the caller's to keep to; they are here to be settled with the rest."""
    stack: str = ""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """By full or short name."""
    held_by_us: frozenset[int] = frozenset()
    """Ports that the running stack has; they are not in its own way."""
    running: StackPlan | None = None
    """The plan that runs. Its ports are ours and are kept; where nothing above it names services, so are they."""
    refreshes: bool = False
    """Decide services that run anew as well, because the catalog was edited."""
    random_seed: int | None = None
    """Draws the same random preset again."""
    reserves_ports: bool = False
    """Keep other starts from choosing the same ports as long as this process lives."""
    is_trial: bool = False
    """Nothing is written, not even the catalog of a home that has none."""


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


class PortTakenError(PrismError):
    """Ports of the plan are held by somebody else."""

    code: ClassVar[str] = "port-taken"

    def __init__(self, conflicts: Sequence[PortConflict]) -> None:
        self.conflicts = tuple(conflicts)
        """Never empty; with the holders, as far as they can be seen."""
        self.problems = tuple(Problem(message=render_conflict(each)) for each in self.conflicts)
        """The same in words, one each."""
        count = len(self.conflicts)
        what = "it" if count == 1 else "them"
        super().__init__(
            self.problems[0].message if count == 1 else f"{count} ports are in use",
            hint=f"{_way_out(self.conflicts) or f'end {what}'}, or start with --auto-ports",
        )


def _way_out(conflicts: Sequence[PortConflict]) -> str:
    """How those who have the ports are ended by those who started them; empty where that is not known of all."""
    commands = []
    for conflict in conflicts:
        holder = conflict.holder
        if holder is not None and holder.owner is not None:
            commands.append(f"{stop_command(holder.owner)} stops it")
        elif holder is not None and holder.container is not None:
            commands.append(advise_on_container(holder.container))
        else:
            return ""
    return ", ".join(dict.fromkeys(commands))


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
    return _Planning(request, home, environment, working_directory, tell).make()


def decide(
    request: PlanRequest,
    *,
    home: Home,
    environment: Mapping[str, str],
    working_directory: Path,
) -> Decision:
    """What `make_plan` would go by, for whoever wants to know why; ports and programs are not looked for.

    A catalog that nobody has edited is read as well, so that each value knows its line.

    Args:
        request: what was asked for.
        home: of the user; gets a catalog if it has none, unless the request is a trial.
        environment: of the one who asks.
        working_directory: absolute; where a project file is looked for, and relative paths start.

    Raises:
        ConfigError: flags or files say something impossible; all of it at once.
        PrismError: a file cannot be read, or home not be written.
    """
    planning = _Planning(request, home, environment, working_directory, lambda _: None)
    decision = planning.decide(locates=True)
    planning.problems.raise_if_any()
    return decision


class Chosen(NamedTuple):
    """Which services shall run, and what was asked for that; nothing of the machine is decided."""

    selection: Selection
    catalog: Catalog
    """Without what the profile changes."""
    profile: Profile | None
    """The one that has a say in it, the project's own included."""


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
    return _Planning(request, home, environment, working_directory, lambda _: None).choose()


def render_conflict(conflict: PortConflict) -> str:
    """A taken port in one line: which, whose, and who has it."""
    holder = conflict.holder
    port = f"port {conflict.number} ({conflict.service})"
    if holder is not None and holder.on_behalf_of:
        since = f", since {_clock(holder.since)}" if holder.since is not None else ""
        return f"{port} belongs to {holder.on_behalf_of} (PID {holder.pid}{since})"
    parts = []
    if holder is not None:
        parts += [f"PID {holder.pid}"] if holder.pid is not None else ["another process"]
        parts += [holder.command] if holder.command else []
        parts += [f"user {holder.user}"] if holder.user else []
        parts += [f"since {_clock(holder.since)}"] if holder.since is not None else []
    who = ", ".join(parts) or "another process"
    return f"{port} is in use by {who}"


def _clock(moment: float) -> str:
    is_recent = time.time() - moment < 24 * 3600
    return time.strftime("%H:%M" if is_recent else "%Y-%m-%d %H:%M", time.localtime(moment))


class _Planning:
    """One run from text to plan, with the problems found on the way."""

    def __init__(
        self,
        request: PlanRequest,
        home: Home,
        environment: Mapping[str, str],
        working_directory: Path,
        tell: Callable[[str], None],
    ) -> None:
        self.tell = tell
        self.request = request
        self.home = home
        self.environment = environment
        self.working_directory = working_directory
        self.problems = Problems()

    def decide(self, *, locates: bool = False) -> Decision:
        stack = self._stack()
        project, settings, written, profile = self._load(locates=locates)
        catalog = self._apply_profile(written, profile) if profile is not None else written
        directory = project.directory if project else self.working_directory
        facts = self._gather_facts(settings, directory)
        return Decision(
            stack=stack,
            project=project,
            profile=profile,
            preferences=settle_preferences(
                self._typed(), settings=settings, project=project, profile=profile, stack=stack
            ),
            written=written,
            catalog=catalog,
            selection=self._select(catalog, project, profile, facts),
            facts=facts,
            directory=directory,
        )

    def make(self) -> StackPlan:
        decision = self.decide()
        stack, project, profile = decision.stack, decision.project, decision.profile
        catalog = decision.catalog
        ours = self._ours()
        resolution = resolve_plan(
            decision.selection,
            catalog,
            decision.facts,
            self._options(decision),
            is_free=lambda number: number in ours or self._can_have(number, stack),
            who_has=self._who_has,
            problems=self.problems,
        )
        self._check_volumes(resolution.plan, catalog)
        if resolution.conflicts:
            raise PortTakenError(
                [
                    each._replace(holder=recognize_stack(who_holds(each.number), self.home))
                    for each in resolution.conflicts
                ]
            )
        # An empty file gives the stack its name, and says nothing about what runs in it.
        file = str(project.file) if project is not None and project.document is not None else ""
        profile_file = str(profile.file) if profile is not None else ""
        plan = replace(resolution.plan, project=file, profile=profile_file)
        return plan if self.request.running is None else self._continue(plan)

    def choose(self) -> Chosen:
        project, settings, catalog, profile = self._load()
        if profile is not None:
            self._apply_profile(catalog, profile)
        directory = project.directory if project else self.working_directory
        facts = self._gather_facts(settings, directory)
        selection = self._select(catalog, project, profile, facts)
        self.problems.raise_if_any()
        return Chosen(selection, catalog, profile)

    def _load(
        self, *, locates: bool = False
    ) -> tuple[Project | None, Settings, Catalog, Profile | None]:
        """All files that have a say.

        Raises:
            ConfigError: the catalog has mistakes; with those of all others.
        """
        project = self._collect(lambda: load_project(self.working_directory))
        settings = self._collect(lambda: load_settings(self.home)) or Settings()
        catalog = self._collect(lambda: self._load_catalog(project, locates=locates))
        profile = self._profile(project)
        self._check_words()
        if catalog is None:
            self.problems.raise_if_any()
            raise AssertionError("a catalog that could not be loaded has problems")
        return project, settings, catalog, profile

    def _gather_facts(self, settings: Settings, directory: Path) -> MachineFacts:
        return gather_facts(
            home_tools=self.home.tools,
            project_directory=directory,
            look_for_containers=cache(lambda: self._look_for_containers(settings)),
            read_version=lambda program: read_version(
                self.home, program, saves=not self.request.is_trial
            ),
            environment=self.environment,
        )

    def _check_volumes(self, plan: StackPlan, catalog: Catalog) -> None:
        """What a container is to see has to be there: Docker would make a directory that belongs to root."""
        ours = self.home.stack(plan.stack).data
        for service in plan.services:
            if service.runtime is not Runtime.CONTAINER:
                continue
            for index, volume in enumerate(service.volumes):
                host = Path(volume.partition(":")[0]).expanduser()
                if host.is_absolute() and not host.is_relative_to(ours) and not host.exists():
                    self.problems.add(
                        f"{service.name}: there is no {host} to be a volume",
                        catalog.place(service.name, "volumes", index),
                        hint=f"`mkdir -p {shlex.quote(str(host))}` makes an empty one",
                    )
        self.problems.raise_if_any()

    def _look_for_containers(self, settings: Settings) -> ContainerFacts:
        from prismctl.install.containers.availability import find_containers

        return find_containers(
            self.home,
            self.environment,
            kind=settings.containers,
            may_try=not self.request.is_trial,
            tell=self.tell,
        )

    def _who_has(self, number: int) -> str:
        """Who has a port that a start cannot have, in words."""
        if is_port_free(number):
            return "another start has chosen it"
        return describe_holder(recognize_stack(who_holds(number), self.home))

    def _can_have(self, number: int, stack: StackName) -> bool:
        """Whether a service of the stack could listen there, and no other start is about to."""
        if not is_port_free(number):
            return False
        if not self.request.reserves_ports or self.request.is_trial:
            return True
        return reserve_port(number, str(self.home.stack(stack).directory))

    def _check_words(self) -> None:
        """What can be judged without a catalog: it is worth telling beside the catalog's own mistakes."""
        request = self.request
        if request.preset and request.preset != RANDOM:
            find_preset(request.preset, self.problems)
        if request.engine and request.engine not in ENGINES:
            self.problems.add_unknown("engine", request.engine, ENGINES)
        if request.runtime and request.runtime not in RUNTIMES:
            self.problems.add_unknown("runtime", request.runtime, RUNTIMES)

    @property
    def _is_chosen(self) -> bool:
        """Whether somebody said on the spot what shall run."""
        request = self.request
        return bool(request.profile or request.preset or request.picked is not None)

    def _collect(self, load: Callable[[], _Loaded]) -> _Loaded | None:
        """What was loaded; ``None``, once its problems are noted."""
        try:
            return load()
        except ConfigError as error:
            self.problems.found += error.problems
            self.problems.add_hint(error.hint)
            return None

    def _load_catalog(self, project: Project | None, *, locates: bool) -> Catalog:
        path = self.request.services_file
        if path is not None:
            return load_catalog(self.home, self.working_directory / path, locates=locates)
        catalog = load_catalog(
            self.home,
            project.catalog if project else None,
            creates=not self.request.is_trial,
            locates=locates,
        )
        if project is not None and project.has_services and project.document is not None:
            from prismctl.domain.catalog import read_catalog

            return read_catalog(project.document, base=catalog)
        return catalog

    def _stack(self) -> StackName:
        name = find_stack_name(self.request.stack, self.environment, self.working_directory)
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
            self.problems.add(
                f"stack name `{shorten(name)}` is impossible: lower case letters, digits and `-`"
            )
        return name

    def _profile(self, project: Project | None) -> Profile | None:
        request = self.request
        name, directory = request.profile, self.working_directory
        if not name and project is not None and not self._is_chosen and request.running is None:
            name, directory = project.profile, project.directory
        if not name:
            return None
        from prismctl.files.profiles import load_profile

        return self._collect(lambda: load_profile(self.home, name, directory))

    def _apply_profile(self, catalog: Catalog, profile: Profile) -> Catalog:
        from prismctl.files.profiles import apply_profile

        return self._collect(lambda: apply_profile(catalog, profile)) or catalog

    def _select(
        self,
        catalog: Catalog,
        project: Project | None,
        profile: Profile | None,
        facts: MachineFacts,
    ) -> Selection:
        request = self.request
        layers: list[Layer | None] = []
        additions = [Addition(word, "--with") for word in request.with_services]
        removals = [Addition(word, "--without") for word in request.without_services]
        if request.picked is not None:
            layers.append(Layer("picker", request.picked))
        if profile is not None:
            layers.append(_profile_layer(profile, project, is_typed=bool(request.profile)))
        if request.preset:
            layer = self._preset_layer(request.preset, catalog, facts)
            layers.append(layer and layer._replace(source="--preset"))
        if request.running is not None and request.services_file is None:
            layers.append(_running_layer(request.running, catalog))
        is_said = any(layers)
        # One that is overruled is named as such, if it can be; it need not even exist.
        if project is not None and (not is_said or project.preset in PRESETS):
            layers.append(self._project_layer(project, catalog, facts))
        if project is not None and not is_said:
            additions = _project_additions(project, "with", project.with_services) + additions
            removals = _project_additions(project, "without", project.without_services) + removals
        return select_services(
            catalog, layers, additions=additions, removals=removals, problems=self.problems
        )

    def _project_layer(
        self, project: Project, catalog: Catalog, facts: MachineFacts
    ) -> Layer | None:
        layer = self._preset_layer(project.preset, catalog, facts) if project.preset else None
        return layer and layer._replace(source=project.file.name, place=project.place("preset"))

    def _preset_layer(self, word: str, catalog: Catalog, facts: MachineFacts) -> Layer | None:
        if word == RANDOM:
            from random import Random

            candidates = [
                name
                for name, definition in catalog.services.items()
                if definition.type in _DRAWABLE_TYPES
                and not isinstance(choose_runtime(definition, facts), Refusal)
            ]
            random = Random(self.request.random_seed)  # noqa: S311 - a surprise, not a secret
            return preset_layer(draw_preset(random, candidates))
        preset = find_preset(word, self.problems)
        return preset_layer(preset) if preset else None

    def _typed(self) -> dict[str, Given]:
        """What was said on the spot about how the stack is run; the running one keeps its engine."""
        request = self.request
        words = {
            "engine": request.engine,
            "runtime": request.runtime,
            "auto_ports": request.auto_ports,
            "persist": request.persist,
            "on_failure": request.on_failure,
            "wait_timeout": request.wait_seconds,
        }
        typed = {
            key: Given(value, f"--{key.replace('_', '-')}")
            for key, value in words.items()
            if value not in {"", None}
        }
        if request.running is not None:
            typed.setdefault("engine", Given(request.running.engine.value, "running stack"))
        return typed

    def _options(self, decision: Decision) -> PlanOptions:
        request = self.request
        running = request.running
        stack = decision.stack
        chosen = {key: setting.value for key, setting in decision.preferences.items()}
        patterns = decision.directory / "patterns"
        return PlanOptions(
            stack=stack,
            data_directory=str(self.home.stack(stack).data),
            environment=self.environment,
            # What is no engine is a problem already.
            engine=chosen["engine"] if chosen["engine"] in ENGINES else "auto",
            runtime=_find_runtime(chosen["runtime"]),
            replaces_taken_ports=chosen["auto_ports"] or stack != DEFAULT_STACK,
            replaceable_ports=request.replaceable_ports,
            current_ports={
                (service.name, port.name): port.number
                for service in (running.services if running else ())
                for port in service.ports
            },
            persist=chosen["persist"],
            replicas=self._replicas(decision.catalog),
            patterns_directory=str(patterns) if patterns.is_dir() else "",
            password_of=Passwords(self.home.stack(stack), saves=not request.is_trial).find,
        )

    def _replicas(self, catalog: Catalog) -> dict[str, int]:
        running = self.request.running
        replicas: dict[str, int] = (
            {service.name: service.replicas for service in running.services} if running else {}
        )
        for word, count in self.request.replicas.items():
            definition = catalog.find(word)
            if definition is None:
                self.problems.add_unknown("service", word, catalog.known_words)
            else:
                replicas[definition.name] = count
        return replicas

    def _ours(self) -> frozenset[int]:
        running = self.request.running
        ports = (
            port.number
            for service in (running.services if running else ())
            for port in service.ports
        )
        return self.request.held_by_us | frozenset(ports)

    def _continue(self, plan: StackPlan) -> StackPlan:
        """The running plan with what was asked to change; the rest does not notice that it was planned again."""
        running = self.request.running
        if running is None:
            return plan
        is_anew = self._is_chosen or self.request.services_file is not None
        is_anew = is_anew or bool(self.request.engine or self.request.runtime)
        before = {service.name: service for service in running.services}
        services = []
        for service in plan.services:
            known = before.get(service.name)
            if known is None or is_anew:
                services.append(service)
            elif self.request.refreshes:
                services.append(replace(service, source=known.source))
            else:
                services.append(replace(known, replicas=service.replicas))
        if is_anew:
            return replace(plan, services=tuple(services))
        return replace(
            plan,
            services=tuple(services),
            base_env=running.base_env,
            engine_reason=running.engine_reason,
            project=running.project,
            profile=running.profile,
        )


def _find_runtime(word: str) -> Runtime | None:
    """The one that is preferred; ``None``: decided by what is there."""
    return Runtime(word) if word in RUNTIMES and word != "auto" else None


def _running_layer(running: StackPlan, catalog: Catalog) -> Layer:
    """What was chosen for the running stack; what only came along leaves with what needed it."""
    chosen: list[ServiceName] = [
        service.name
        for service in running.services
        if not find_needing(service.source) and service.name in catalog.services
    ]
    return Layer(running.origin, chosen)


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
