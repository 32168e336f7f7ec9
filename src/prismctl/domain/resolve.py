"""From a selection to a plan: every name resolved, every port a number, every ``${…}`` replaced.

A pure function of what was selected, the catalog, facts about the machine and the options: the same input
gives the same plan. All that is impossible is found in one go.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from prismctl.domain.addressing import Assignment, PortConflict, assign_ports
from prismctl.domain.choice import (
    EngineChoice,
    Refusal,
    RuntimeChoice,
    choose_engine,
    choose_runtime,
)
from prismctl.domain.containers import is_image_name
from prismctl.domain.dependencies import sort_by_dependency
from prismctl.domain.environment import choose_base_environment
from prismctl.domain.interpolation import (
    Addresses,
    Mistake,
    Surroundings,
    has_own_references,
    holds_password,
    interpolate,
    takes_password,
)
from prismctl.domain.packaged import BINARY_CHECKS
from prismctl.domain.plan import (
    ENGINES,
    EVERYWHERE,
    LOOPBACK,
    EngineName,
    Port,
    ServicePlan,
    ServiceTemplate,
    StackPlan,
)
from prismctl.domain.port_clashes import add_clash
from prismctl.domain.problems import Problems
from prismctl.domain.references import may_hold_password, refers_to_others, rewrite_texts
from prismctl.domain.servers.registry import find_server
from prismctl.domain.service import (
    DEFAULT_STACK,
    CheckType,
    HealthCheck,
    Runtime,
    ServiceDefinition,
    StackName,
)
from prismctl.domain.size_limits import find_oversized_arguments, find_oversized_variables
from prismctl.domain.written_images import describe_fault
from prismctl.errors import MissingToolError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.host_port import HostPort
    from prismctl.domain.offering import Catalog
    from prismctl.domain.selection import Selection
    from prismctl.domain.service import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a plan depends on beside the selection, the catalog and the machine."""

    stack: StackName = DEFAULT_STACK
    data_directory: str
    """Absolute; each service has a directory of its name in it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the one who starts it: for ``${VARIABLE}`` and for what services inherit."""
    engine: str = "auto"
    """``auto`` or an engine's name."""
    runtime: Runtime | None = None
    """Container or native, where a service offers both."""
    replaces_taken_ports: bool = False
    replaceable_ports: frozenset[tuple[str, str]] = frozenset()
    """Of which services, by service and port name, taken ones are replaced even so."""
    current_ports: Mapping[tuple[str, str], HostPort] = field(default_factory=dict)
    """What the running stack has, by service and port name."""
    neighbours: Mapping[ServiceName, tuple[Port, ...]] = field(default_factory=dict)
    """Services that run already, with their ports: they are not planned, and others may refer to them."""
    persist: bool = False
    """Keep the data of every service."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """How many instances, where that is not what the catalog says."""
    patterns_directory: str = ""
    """What ``${stack.patterns}`` stands for; empty: the asking service's data directory."""
    password_of: Callable[[str], str] = lambda _: ""
    """The password of a service that takes one; asked for no other."""


class Resolution(NamedTuple):
    """A plan, and what has to be out of its way before it can be applied."""

    plan: StackPlan
    conflicts: tuple[PortConflict, ...]
    """Asked-for ports that somebody has; empty when taken ones are replaced."""


def resolve_plan(
    selection: Selection,
    catalog: Catalog,
    facts: MachineFacts,
    options: PlanOptions,
    *,
    is_free: Callable[[HostPort], bool],
    who_has: Callable[[HostPort], str] = lambda _: "",
    problems: Problems | None = None,
) -> Resolution:
    """Decide everything.

    Args:
        selection: what shall run.
        catalog: what there is.
        facts: about the machine.
        options: what else it depends on.
        is_free: whether a port can be listened on.
        who_has: who has a port that is not free, in words.
        problems: found earlier, and to be shown together with what is found here.

    Raises:
        ConfigError: something is impossible; all of it.
        MissingToolError: nothing is wrong, but programs that are needed are not installed; all of them.
    """
    problems = problems or Problems()
    definitions = [catalog.services[name] for name in selection.sources]
    order = _order(definitions, problems)
    assignment = assign_ports(
        order,
        stack=options.stack,
        is_free=is_free,
        replaces_taken=options.replaces_taken_ports,
        replaceable=options.replaceable_ports,
        current=options.current_ports,
        who_has=who_has,
    )
    for clash in assignment.clashes:
        add_clash(clash, catalog, problems)
    refusals: list[Refusal] = []
    planner = _Planner(selection, catalog, facts, options, assignment, problems, refusals)
    services = [planner.plan(definition) for definition in order]
    engine = _choose_engine(options.engine, facts, problems, refusals)
    problems.raise_if_any()
    if refusals:
        raise _missing(refusals)
    images = [each.program for each in services if each.runtime is Runtime.CONTAINER]
    plan = StackPlan(
        stack=options.stack,
        engine=engine.engine,
        engine_reason=engine.reason,
        origin=selection.origin,
        services=tuple(services),
        base_env=choose_base_environment(options.environment),
        containers=facts.look_for_containers().tool if images else None,
        missing_images=_find_missing(images, facts),
    )
    return Resolution(plan, assignment.conflicts)


def _find_missing(images: Sequence[str], facts: MachineFacts) -> tuple[str, ...]:
    """The images that have to be pulled, each once."""
    if not images:
        return ()
    find = facts.look_for_containers().find_image
    return tuple(image for image in dict.fromkeys(images) if not find(image).is_here)


def _order(definitions: Sequence[ServiceDefinition], problems: Problems) -> list[ServiceDefinition]:
    by_name = {each.name: each for each in definitions}
    depends_on = {each.name: each.depends_on for each in definitions}
    try:
        names = sort_by_dependency(list(by_name), depends_on)
    except ValueError as error:
        problems.add(str(error))
        return list(definitions)
    return [by_name[name] for name in names]


def _choose_engine(
    requested: str, facts: MachineFacts, problems: Problems, refusals: list[Refusal]
) -> EngineChoice:
    if requested not in ENGINES:
        problems.add_unknown("engine", requested, ENGINES)
    else:
        choice = choose_engine(requested, facts)
        if isinstance(choice, Refusal):
            refusals.insert(0, choice)
        else:
            return choice
    return EngineChoice(EngineName.LOCAL, "")


def _missing(refusals: Sequence[Refusal]) -> MissingToolError:
    hint = "\n".join(dict.fromkeys(refusal.hint for refusal in refusals))
    problems = [Problem(message=refusal.reason) for refusal in refusals]
    if len(problems) == 1:
        return MissingToolError(problems[0].message, hint=hint)
    message = f"{len(problems)} things that are needed are not there"
    return MissingToolError(message, hint=hint, problems=problems)


class _Planner(NamedTuple):
    """Decides service by service what has been found out to be possible."""

    selection: Selection
    catalog: Catalog
    facts: MachineFacts
    options: PlanOptions
    assignment: Assignment
    problems: Problems
    refusals: list[Refusal]

    def is_there(self, name: ServiceName) -> bool:
        """Whether a service is part of the stack, be it planned here or there already."""
        return name in self.selection.sources or name in self.options.neighbours

    def choose(
        self, definition: ServiceDefinition, command: tuple[str, ...], image: str
    ) -> RuntimeChoice:
        """What runs a service; a stand-in, once it is noted that nothing can."""
        choice = choose_runtime(
            replace(definition, command=command, container=image),
            self.facts,
            preferred=self.options.runtime,
        )
        if isinstance(choice, Refusal):
            self.refusals.append(choice)
            return RuntimeChoice(Runtime.BUILTIN, definition.name, "")
        return choice

    def refuse_mappings(self, definition: ServiceDefinition) -> None:
        """Take note of ports that cannot be mapped, because the container has the machine's network."""
        for port in definition.ports:
            if port.target not in {None, port.number}:
                self.problems.add(
                    f"{definition.name}: port {port.name} cannot be {port.target} inside: the service refers to "
                    "others by `${…}`, for which its container shares this machine's network; "
                    "let its server listen on `${self.port}`",
                    self.catalog.place(definition.name, "ports"),
                )

    def refuse_oversized(
        self, name: str, env: Mapping[str, str], key: str, words: Sequence[str]
    ) -> None:
        """Take note of what no process can be started with, instead of letting the system refuse it without a name."""
        for variable, message in find_oversized_variables(env).items():
            place = self.catalog.place(name, "env", variable)
            self.problems.add(f"{name}: {message}", place)
        for index, message in find_oversized_arguments(words).items():
            self.problems.add(f"{name}: {message}", self.catalog.place(name, key, index))

    def plan(self, definition: ServiceDefinition) -> ServicePlan:
        """One service, decided."""
        name = definition.name
        ports = self.assignment.ports[name]
        data = posixpath.join(self.options.data_directory, name)
        texts = _Texts(self, definition, data)
        command = tuple(
            texts.settle(text, "command", index) for index, text in enumerate(definition.command)
        )
        choice = self.choose(definition, command, texts.preview(definition.container))
        runtime = choice.runtime
        is_native = runtime is Runtime.NATIVE
        persists = definition.persist or self.options.persist
        if is_native:
            own_args = _args_of_program(definition)
            definition = replace(definition, command=(*definition.command, *own_args))
            first = len(definition.args) - len(own_args)
            command += tuple(
                texts.settle(text, "args", first + index) for index, text in enumerate(own_args)
            )
        server = find_server(definition.driver, choice.program if is_native else "")
        if server is not None and runtime in {Runtime.NATIVE, Runtime.CONTAINER}:
            definition = server.configure(definition, runtime, persists=persists)
            command = tuple(texts.preview(text) for text in definition.command)
        elif definition.config and is_native:
            self.problems.add(
                f"{name}: config has no meaning for `{choice.program}`",
                self.catalog.place(name, "config"),
            )
        has_host_network = runtime is Runtime.CONTAINER and refers_to_others(
            _used_part(definition, runtime, ports)
        )
        if has_host_network:
            self.refuse_mappings(definition)
        if runtime is Runtime.CONTAINER and not has_host_network:
            ports = _map_ports(definition, ports)
            texts.look_from_inside(ports)
        settled = rewrite_texts(_used_part(definition, runtime, ports), texts.settle)
        working_directory = settled.working_directory
        if working_directory and not working_directory.startswith("/"):
            working_directory = posixpath.join(
                self.catalog.directory or self.options.data_directory,
                _expand_home(working_directory, self.options),
            )
        program = settled.container if runtime is Runtime.CONTAINER else choice.program
        if runtime is Runtime.CONTAINER and not is_image_name(program):
            self.problems.add(
                f"{name}: container {describe_fault(program)}",
                self.catalog.place(name, "container"),
            )
        if is_native:
            self.refuse_oversized(name, settled.env, "command", command)
        else:
            self.refuse_oversized(name, settled.env, "args", settled.args)
        return ServicePlan(
            name=name,
            type=definition.type,
            source=self.selection.sources[name],
            runtime=runtime,
            runtime_reason=choice.reason,
            program="" if is_native else program,
            command=(choice.program, *command[1:]) if is_native else (),
            driver=server.driver if server else "",
            files=settled.files if is_native else {},
            args=settled.args,
            working_directory=working_directory,
            env=settled.env,
            # A password is a secret wherever it goes, also in the address that another service is given.
            secrets=definition.secrets
            | {key for key, text in definition.env.items() if holds_password(text)},
            depends_on=tuple(each for each in definition.depends_on if self.is_there(each)),
            needs={each: need for each, need in definition.needs.items() if self.is_there(each)},
            ports=ports,
            check=settled.health_check,
            min_uptime_seconds=definition.min_uptime_seconds,
            one_shot=definition.one_shot,
            persist=persists,
            replicas=1
            if runtime is Runtime.EXTERNAL
            else self.options.replicas.get(name, definition.replicas),
            resources=definition.resources,
            stop_grace_seconds=definition.stop_grace_seconds,
            volumes=tuple(_expand_home(each, self.options) for each in settled.volumes),
            has_host_network=has_host_network,
            init=settled.init,
            user=_choose_user(definition, runtime),
            watch=_find_watched(definition, runtime, choice.program, self.options),
            template=texts.template(definition, settled.health_check, choice),
        )


def _map_ports(definition: ServiceDefinition, ports: Sequence[Port]) -> tuple[Port, ...]:
    """The ports of a container with a network of its own: inside, its server keeps the numbers that it was built with."""
    built_with = {
        each.name: None if each.is_advertised else each.target or each.number
        for each in definition.ports
    }
    return tuple(
        replace(
            port,
            target=None if built_with[port.name] in {None, port.number} else built_with[port.name],
        )
        for port in ports
    )


def _used_part(
    definition: ServiceDefinition, runtime: Runtime, ports: Sequence[Port]
) -> ServiceDefinition:
    """The definition without what this runtime has no use for; mistakes in that are none of this plan's."""
    is_native = runtime is Runtime.NATIVE
    return replace(
        definition,
        # What runs was chosen by what the command says, which is decided by then.
        command=(),
        container=definition.container if runtime is Runtime.CONTAINER else "",
        args=() if is_native else definition.args,
        init=definition.init if is_native else (),
        files=definition.files if is_native else {},
        # A program on this machine has the whole of it before it.
        volumes=() if is_native else definition.volumes,
        health_check=_settle_check(definition, runtime, ports),
    )


def _args_of_program(definition: ServiceDefinition) -> tuple[str, ...]:
    """What follows ``command`` on this machine: the ``args`` that somebody wrote.

    An image may want its program to be named first, and ``command`` has named it.
    """
    args = definition.args if definition.has_own_args else ()
    program = posixpath.basename(definition.command[0])
    return args[1:] if definition.container and args[:1] == (program,) else args


def _choose_user(definition: ServiceDefinition, runtime: Runtime) -> str:
    if runtime is Runtime.NATIVE:
        return definition.user
    return definition.container_user if runtime is Runtime.CONTAINER else ""


def _find_watched(
    definition: ServiceDefinition, runtime: Runtime, program: str, options: PlanOptions
) -> tuple[str, ...]:
    """What it is made from: as the catalog says, and what is built for it under its name."""
    built = (program,) if runtime is Runtime.BINARY else ()
    written = tuple(_expand_home(each, options) for each in definition.watch)
    return tuple(dict.fromkeys((*written, *built)))


def _expand_home(path: str, options: PlanOptions) -> str:
    home = options.environment.get("HOME", "")
    return posixpath.join(home, path[2:]) if path.startswith("~/") and home else path


def _settle_check(
    definition: ServiceDefinition, runtime: Runtime, ports: Sequence[Port]
) -> HealthCheck | None:
    """The check with its port as a number; the default one for a service that has a TCP port and no check."""
    check = definition.health_check
    if runtime is Runtime.BINARY and definition.name in BINARY_CHECKS:
        check = BINARY_CHECKS[definition.name]
    elif check is None and any(port.is_tcp for port in ports):
        check = HealthCheck(type=CheckType.TCP)
    if check is None or check.type in {CheckType.EXEC, CheckType.LOG}:
        return check if check is None else replace(check, port=None)
    by_name = {port.name: port.number for port in ports if port.is_tcp}
    defined = [each for each in definition.ports if each.name in by_name]
    asked_for = {each.target: each.name for each in defined if each.target is not None}
    asked_for |= {each.number: each.name for each in defined if each.number is not None}
    first = next(iter(by_name.values()), ports[0].number)
    if check.port is None:
        number = first
    elif isinstance(check.port, str):
        number = by_name.get(check.port, first)
    else:
        # A number that is one of the service's own follows it to where it was moved.
        number = by_name.get(asked_for.get(check.port, ""), check.port)
    return replace(check, port=number)


class _Texts:
    """Replaces the references in one service's texts, and takes note of those that mean nothing."""

    def __init__(self, planner: _Planner, definition: ServiceDefinition, data: str) -> None:
        self.name = definition.name
        self.catalog = planner.catalog
        self.problems = planner.problems
        options = self.options = planner.options
        self.password_of = options.password_of
        self.around = Surroundings(
            service=definition.name,
            data=data,
            services={
                name: Addresses(
                    ports[0].host if ports else LOOPBACK,
                    {port.name: port.number for port in ports},
                )
                for name, ports in {**options.neighbours, **planner.assignment.ports}.items()
            },
            full_name=self.catalog.full_name,
            known_services=self.catalog.services,
            stack={"name": options.stack, "patterns": options.patterns_directory or data},
            variables=options.environment,
        )

    def look_from_inside(self, ports: Sequence[Port]) -> None:
        """From now on the service's own addresses are those inside its container."""
        own = Addresses(EVERYWHERE, {port.name: port.inner_number for port in ports})
        self.around = self.around._replace(services={**self.around.services, self.name: own})

    def preview(self, text: str) -> str:
        """One text, decided; its mistakes are told if it is used."""
        return interpolate(text, self.around, [])

    def settle(self, text: str, *path: str | int) -> str:
        """One text at its path in the entry, decided."""
        mistakes: list[Mistake] = []
        around = self._trusted if may_hold_password(path) else self.around
        result = interpolate(text, around, mistakes)
        for mistake in mistakes:
            self.problems.add(
                f"{self.name}: {mistake.message}",
                self.catalog.place(self.name, *path),
                suggestion=mistake.suggestion,
                hint=mistake.hint,
            )
        return result

    def template(
        self, definition: ServiceDefinition, check: HealthCheck | None, choice: RuntimeChoice
    ) -> ServiceTemplate | None:
        """What further instances are made from, when they differ from the first."""
        is_native = choice.runtime is Runtime.NATIVE
        command = (choice.program, *definition.command[1:]) if is_native else ()
        args = () if is_native else definition.args
        init = definition.init if is_native else ()
        check_command = definition.health_check.command if check and definition.health_check else ()
        files = definition.files if is_native else {}
        volumes = () if is_native else definition.volumes
        texts = (*command, *args, *init, *check_command, *definition.env.values())
        texts = (*texts, *files, *files.values(), *volumes)
        if not any(has_own_references(text) for text in texts):
            return None
        return ServiceTemplate(
            command=self._keep(command),
            args=self._keep(args),
            init=self._keep(init),
            check_command=self._keep(check_command),
            volumes=tuple(_expand_home(each, self.options) for each in self._keep(volumes)),
            files=dict(
                zip(self._keep(tuple(files)), self._keep(tuple(files.values())), strict=True)
            ),
            env={
                key: interpolate(text, self._trusted, [], keeps_own=True)
                for key, text in definition.env.items()
            },
        )

    @property
    def _trusted(self) -> Surroundings:
        """For texts that nobody else can read."""
        return self.around._replace(passwords=self._find_password)

    def _find_password(self, name: str) -> str | None:
        definition = self.catalog.services[self.catalog.full_name(name)]
        return self.password_of(name) if takes_password(definition.env.values()) else None

    def _keep(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(interpolate(text, self._trusted, [], keeps_own=True) for text in texts)
