"""What runs a service, and what runs the stack, decided from facts about the machine. Each answer says why."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from prismctl.domain.containers import no_containers
from prismctl.domain.host_port import PortProtocol
from prismctl.domain.packaged import BUILTIN, PACKAGED
from prismctl.domain.plan import EngineName
from prismctl.domain.service import Runtime
from prismctl.domain.version_range import is_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.domain.containers import ContainerFacts
    from prismctl.domain.service import ServiceDefinition

NOMAD_TOOLS: Final = ("nomad", "consul")

_PACKAGES: Final = {
    "redis-server": ("redis-server", "redis"),
    "nats-server": ("nats-server", "nats-server"),
    "postgres": ("postgresql", "postgresql@16"),
    "podman": ("podman", "podman"),
    "prometheus": ("prometheus", "prometheus"),
    "clickhouse-server": ("clickhouse-server", "clickhouse"),
    "java": ("default-jre-headless", "openjdk"),
}
"""By program: the Debian package and the Homebrew formula that have it."""
_INSTALLED_BY_INIT: Final = {"kafka-server-start.sh": "kafka"}
"""By program: what `init --with` calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What choices depend on. Programs are looked up when they are asked for."""

    find_program: Callable[[str], str]
    """The absolute path of a program on PATH that this package did not install itself; empty: there is none."""
    find_binary: Callable[[str], str]
    """The absolute path of a program in ``build/binaries``; empty: there is none."""
    tools: Mapping[str, str]
    """Paths of Nomad and Consul, as far as they are there."""
    look_for_containers: Callable[[], ContainerFacts] = lambda: no_containers(
        "Podman is not installed"
    )
    """Whether containers can be run; costs tenths of a second, and is asked only for services that could be one."""
    read_version: Callable[[str], str | None] | None = None
    """The version that a program says it is, by its absolute path; empty: it does not say. ``None``: nobody asks."""
    is_file: Callable[[str], bool] = lambda _: False
    """Whether there is a file at a path: of a program that cannot be run, that says what is missing."""
    memory_bytes: int = 0
    system: str = "linux"
    """``linux`` or ``darwin``: decides what an installation hint says."""


class RuntimeChoice(NamedTuple):
    """What runs a service."""

    runtime: Runtime
    program: str
    """For binary and native: the absolute path. For container: the image. For builtin: the service's name."""
    reason: str
    """In words; empty when there was nothing to decide."""


class Refusal(NamedTuple):
    """Why a service cannot be run here."""

    reason: str
    hint: str
    """What to type next."""


class EngineChoice(NamedTuple):
    """What runs a stack."""

    engine: EngineName
    reason: str


def choose_runtime(
    definition: ServiceDefinition, facts: MachineFacts, *, preferred: Runtime | None = None
) -> RuntimeChoice | Refusal:
    """The kind of thing that runs a service on this machine.

    Args:
        definition: the service; a runtime that it names leaves no choice.
        facts: about the machine.
        preferred: container or native, where somebody has asked for one and the service offers it.
    """
    if definition.runtime is not None:
        return _obey(definition, definition.runtime, facts)
    if definition.container or definition.command:
        return _choose_server(definition, facts, preferred)
    return _choose_prism(definition, facts)


def choose_engine(requested: str, facts: MachineFacts) -> EngineChoice | Refusal:
    """Who runs the stack; ``requested`` is ``auto`` or an engine's name."""
    missing = [tool for tool in NOMAD_TOOLS if tool not in facts.tools]
    hint = "`prismctl dev init` installs them; `--engine local` needs nothing"
    names = " and ".join(tool.capitalize() for tool in missing)
    verb = "are" if len(missing) > 1 else "is"
    if requested == EngineName.LOCAL:
        return EngineChoice(EngineName.LOCAL, "asked for")
    if requested == EngineName.NOMAD:
        if missing:
            return Refusal(f"{names} {verb} not installed", hint)
        return EngineChoice(EngineName.NOMAD, "asked for")
    if missing:
        return EngineChoice(
            EngineName.LOCAL,
            f"{names} {verb} not installed; `prismctl dev init` installs what Nomad needs",
        )
    return EngineChoice(EngineName.NOMAD, "Nomad and Consul are installed")


def _obey(
    definition: ServiceDefinition, runtime: Runtime, facts: MachineFacts
) -> RuntimeChoice | Refusal:
    reason = f"the catalog says runtime {runtime}"
    if runtime is Runtime.EXTERNAL:
        asked = any(port.protocol is PortProtocol.TCP for port in definition.ports)
        unasked = "" if asked else "; whether it answers over UDP cannot be known"
        return RuntimeChoice(runtime, "", f"it runs elsewhere, at {definition.host}{unasked}")
    if runtime is Runtime.BUILTIN:
        return RuntimeChoice(runtime, definition.name, reason)
    if runtime is Runtime.BINARY:
        return _find_binary(definition, facts) or _refuse_binary(definition)
    if runtime is Runtime.CONTAINER:
        return _take_container(definition, facts, reason)
    return _take_native(definition, facts, reason)


def _choose_server(
    definition: ServiceDefinition, facts: MachineFacts, preferred: Runtime | None
) -> RuntimeChoice | Refusal:
    has_both = bool(definition.container and definition.command)
    if not definition.container or (has_both and preferred is Runtime.NATIVE):
        return _take_native(definition, facts, "asked for" if has_both else "")
    if not definition.command or preferred is Runtime.CONTAINER:
        choice = _take_container(definition, facts, "asked for" if has_both else "")
        if isinstance(choice, Refusal) and preferred is Runtime.NATIVE:
            return _refuse_without_command(definition)
        return choice
    obstacle = _find_obstacle(definition.container, facts)
    if not obstacle:
        return _take_container(definition, facts, "")
    native = _take_native(definition, facts, obstacle)
    if isinstance(native, Refusal):
        return Refusal(f"{native.reason}, and {obstacle}", native.hint)
    return native


def _choose_prism(definition: ServiceDefinition, facts: MachineFacts) -> RuntimeChoice | Refusal:
    binary = _find_binary(definition, facts)
    if binary is not None:
        return binary
    if definition.name in BUILTIN:
        return RuntimeChoice(Runtime.BUILTIN, definition.name, "")
    return _refuse_binary(definition)


def _find_binary(definition: ServiceDefinition, facts: MachineFacts) -> RuntimeChoice | None:
    name = definition.name
    built = facts.find_binary(name)
    if built:
        return RuntimeChoice(Runtime.BINARY, built, f"build/binaries/{name} is there")
    found = facts.find_program(name)
    if found:
        return RuntimeChoice(Runtime.BINARY, found, f"{name} is on PATH")
    return None


def _refuse_binary(definition: ServiceDefinition) -> Refusal:
    name = definition.name
    return Refusal(
        f"{name} has no program: neither build/binaries/{name} nor {name} on PATH",
        f"build {name} into build/binaries, or leave it out with `--without {name}`",
    )


def _find_obstacle(image: str, facts: MachineFacts) -> str:
    """Why a container of an image cannot be run here; empty when it can."""
    containers = facts.look_for_containers()
    if containers.tool is None:
        return containers.reason
    found = containers.find_image(image)
    return "" if found.can_be_had else found.reason


def _take_container(
    definition: ServiceDefinition, facts: MachineFacts, reason: str
) -> RuntimeChoice | Refusal:
    image = definition.container
    obstacle = _find_obstacle(image, facts)
    containers = facts.look_for_containers()
    if not obstacle and containers.tool is not None:
        is_here = containers.find_image(image).is_here
        what_first = "and has the image" if is_here else "and pulls the image first"
        return RuntimeChoice(
            Runtime.CONTAINER, image, reason or f"{containers.tool.title} works {what_first}"
        )
    name = definition.name
    alternative = (
        f"`--runtime native` runs `{definition.command[0]}` instead"
        if definition.command
        else _find_substitute(definition)
        or f"give {name} a `command`, or leave it out with `--without {name}`"
    )
    if containers.fix:
        alternative = f"{containers.fix}\n{alternative}"
    elif image.startswith("localhost/"):
        kind = containers.tool.kind if containers.tool is not None else "podman"
        alternative = (
            f"`{kind} build -t {image} .` where its Dockerfile is builds it; else {alternative}"
        )
    return Refusal(f"{name} needs a container ({image}): {obstacle}", alternative)


def _find_substitute(definition: ServiceDefinition) -> str:
    """What to do about the image of a service that ships with another one; empty: it doesn't, or has that one."""
    packaged = PACKAGED.get(definition.name)
    if packaged is None or packaged.container in {"", definition.container}:
        return ""
    return (
        f"take `container: {definition.container}` of {definition.name} out of the catalog: then it is "
        f"`{packaged.container}`, or natively `{packaged.command[0]}`"
    )


def _take_native(
    definition: ServiceDefinition, facts: MachineFacts, reason: str
) -> RuntimeChoice | Refusal:
    program = definition.command[0]
    found = facts.find_program(program)
    if not found:
        return _refuse_native(definition.name, program, facts)
    from prismctl.domain.servers.registry import find_server

    server = find_server(definition.driver, program)
    for needed in server.needs if server else ():
        if not facts.find_program(needed):
            return _refuse_native(definition.name, needed, facts)
    wanted = definition.program_version
    if wanted and facts.read_version is not None:
        version = facts.read_version(found)
        if version and not is_within(version, wanted):
            return _refuse_version(definition, found, version, facts)
        if not version:
            says = (
                "does not say its version" if version == "" else "is asked its version by a start"
            )
            unknown = f"`{program}` {says}, {wanted} is wanted"
            reason = f"{reason}; {unknown}" if reason else unknown
    return RuntimeChoice(Runtime.NATIVE, found, reason)


def _refuse_without_command(definition: ServiceDefinition) -> Refusal:
    """Why what somebody wants to run as a program does not, where its container is out of the question, too."""
    name = definition.name
    return Refusal(
        f"{name} has no command, so it cannot run natively",
        _find_substitute(definition)
        or f"give {name} a `command`, or leave it out with `--without {name}`",
    )


def _refuse_native(name: str, program: str, facts: MachineFacts) -> Refusal:
    correction = f"correct `command` of {name} in the catalog"
    if "/" in program and facts.is_file(program):
        what, way_out = "not executable", f"`chmod +x {shlex.quote(program)}`, or {correction}"
    elif "/" in program:
        what, way_out = "not there", f"build it, or {correction}"
    else:
        what = "not installed"
        way_out = f"{_render_installation(program, facts)}, or leave it out with `--without {name}`"
    return Refusal(f"{name} needs `{program}`, which is {what}", way_out)


def _refuse_version(
    definition: ServiceDefinition, found: str, version: str, facts: MachineFacts
) -> Refusal:
    name, wanted = definition.name, definition.program_version
    program = definition.command[0]
    return Refusal(
        f"{name} needs `{program}` {wanted}, and {found} is {version}",
        f"{_render_installation(program, facts)} in such a version, "
        f"or change `native.version` of {name} in the catalog",
    )


def _render_installation(program: str, facts: MachineFacts) -> str:
    """What to type to have a program."""
    if program in _INSTALLED_BY_INIT:
        return f"`prismctl dev init --with {_INSTALLED_BY_INIT[program]}`"
    debian, formula = _PACKAGES.get(program, ("", ""))
    if not debian or "/" in program:
        return f"install {program}"
    return (
        f"`brew install {formula}`" if facts.system == "darwin" else f"`apt-get install {debian}`"
    )
