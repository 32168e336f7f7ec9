"""From a selection to a plan: every name resolved, every port a number, every ``${…}`` replaced.

A pure function of what was selected, the catalog, facts about the machine and the options: the same input
gives the same plan. All that is impossible is found in one go.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
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
    holds_password,
)
from prismctl.domain.plan import (
    ENGINES,
    EngineName,
    ServicePlan,
    StackPlan,
)
from prismctl.domain.port_clashes import add_clash
from prismctl.domain.problems import Problems
from prismctl.domain.references import refers_to_others, rewrite_texts
from prismctl.domain.servers.registry import find_server
from prismctl.domain.service import (
    Runtime,
    ServiceDefinition,
)
from prismctl.domain.service_texts import ServiceTexts
from prismctl.domain.size_limits import find_oversized_arguments, find_oversized_variables
from prismctl.domain.used_part import (
    args_of_program,
    choose_user,
    expand_home,
    find_watched,
    map_ports,
    used_part,
)
from prismctl.domain.written_images import describe_fault
from prismctl.errors import MissingToolError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prismctl.domain.choice import MachineFacts
    from prismctl.domain.host_port import HostPort
    from prismctl.domain.offering import Catalog
    from prismctl.domain.plan_options import PlanOptions
    from prismctl.domain.selection import Selection
    from prismctl.domain.service import ServiceName


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
        texts = ServiceTexts(
            name,
            data,
            catalog=self.catalog,
            options=self.options,
            ports=self.assignment.ports,
            problems=self.problems,
        )
        command = tuple(
            texts.settle(text, "command", index) for index, text in enumerate(definition.command)
        )
        choice = self.choose(definition, command, texts.preview(definition.container))
        runtime = choice.runtime
        is_native = runtime is Runtime.NATIVE
        persists = definition.persist or self.options.persist
        if is_native:
            own_args = args_of_program(definition)
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
            used_part(definition, runtime, ports)
        )
        if has_host_network:
            self.refuse_mappings(definition)
        if runtime is Runtime.CONTAINER and not has_host_network:
            ports = map_ports(definition, ports)
            texts.look_from_inside(ports)
        settled = rewrite_texts(used_part(definition, runtime, ports), texts.settle)
        working_directory = settled.working_directory
        if working_directory and not working_directory.startswith("/"):
            working_directory = posixpath.join(
                self.catalog.directory or self.options.data_directory,
                expand_home(working_directory, self.options),
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
            volumes=tuple(expand_home(each, self.options) for each in settled.volumes),
            has_host_network=has_host_network,
            init=settled.init,
            user=choose_user(definition, runtime),
            watch=find_watched(definition, runtime, choice.program, self.options),
            template=texts.template(definition, settled.health_check, choice),
        )
