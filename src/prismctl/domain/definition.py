"""One service of a catalog: what an entry says, put over what ships, and checked for sense."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.containers import parse_image_name
from prismctl.domain.host_port import PortProtocol, protocol_suffix
from prismctl.domain.interpolation import MARK
from prismctl.domain.needs import PLAIN_NEED
from prismctl.domain.packaged import BUILTIN, PACKAGED
from prismctl.domain.problems import nearest_name
from prismctl.domain.servers.registry import read_config
from prismctl.domain.service import (
    SHORT_NAMES,
    CheckType,
    HealthCheck,
    PortDefinition,
    Resources,
    Runtime,
    ServiceDefinition,
    ServiceName,
    ServiceType,
)
from prismctl.domain.written_ports import AUTO, render_port
from prismctl.domain.written_volumes import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prismctl.domain.document import Document, Path, Report
    from prismctl.domain.written_ports import WrittenPort

MAIN_PORT: Final = "main"
"""The name of a port that was given without one."""

_LOGIN_CHECKS: Final = (CheckType.REDIS, CheckType.POSTGRES, CheckType.NATS)

_KEYS_OF_CHECKS: Final = {
    "path": (CheckType.HTTP,),
    "command": (CheckType.EXEC,),
    "pattern": (CheckType.LOG,),
    "jetstream": (CheckType.NATS,),
    "user": _LOGIN_CHECKS,
    "password": _LOGIN_CHECKS,
}
"""The types of check that a key has a meaning for; one alone is what the key suggests."""

_FIELDS: Final = {
    **{
        name: name
        for name in (
            "description",
            "tags",
            "driver",
            "required",
            "default",
            "container",
            "args",
            "one_shot",
            "persist",
            "replicas",
        )
    },
    "min_uptime": "min_uptime_seconds",
    "stop_grace": "stop_grace_seconds",
}
"""Keys whose values are taken as they are, and the fields they go to."""

_KEYS_OF_EXTERNAL: Final = frozenset(
    {
        *("name", "type", "description", "tags", "driver", "required", "default", "depends_on"),
        *("external", "env", "secrets", "health_check"),
    }
)
"""What can be said of a service that runs elsewhere."""

_NO_ANSWER_ELSEWHERE: Final = (
    "nothing can be asked at a UDP port elsewhere: beside one of TCP, that is asked; alone, and without a check, "
    "it is taken for healthy"
)

_NATIVE_FIELDS: Final = {"version": "program_version", "init": "init", "user": "user"}


def define_service(
    given: Mapping[str, Any],
    path: Path,
    report: Report,
    *,
    known: ServiceDefinition | None = None,
) -> ServiceDefinition:
    """The definition that one entry stands for: what it gives, completed from what is known of that name.

    Without ``known``, that is what ships.
    """
    name = ServiceName(given["name"])
    known = known or PACKAGED.get(name)
    base = _take_over(known, given) if known else ServiceDefinition(name=name)
    if "external" in given:
        base, given = _move_elsewhere(base, given, path, report)
    definition = complete_definition(base, given, path, report)
    _check_runnable(definition, given, path, report)
    return definition


def _move_elsewhere(
    base: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> tuple[ServiceDefinition, dict[str, Any]]:
    """A definition of which nothing is left to run, and what an entry may still say of it."""
    for key in given:
        if key not in _KEYS_OF_EXTERNAL:
            report.key((*path, key), f"{key} has no meaning for what runs elsewhere (`external`)")
    rest = {key: value for key, value in given.items() if key in _KEYS_OF_EXTERNAL}
    where = given["external"]
    ports = _read_distant_ports(base, where, path, report)
    check = base.health_check or HealthCheck(type=CheckType.TCP)
    if rest.get("health_check", {}).get("type") in {CheckType.EXEC, CheckType.LOG}:
        report.value(
            (*path, "health_check", "type"),
            f"a check of type {rest['health_check']['type']} needs a process here; others ask at the port",
        )
    elif "health_check" in rest:
        rest["health_check"] = {"start_period": 0.0, **rest["health_check"]}
    moved = ServiceDefinition(
        name=base.name,
        type=base.type,
        description=base.description,
        tags=base.tags,
        driver=base.driver,
        runtime=Runtime.EXTERNAL,
        host=where.get("host", ""),
        ports=ports,
        # It does not start with the stack: when it does not answer, that is no beginning.
        health_check=dataclasses.replace(check, port=None, start_period_seconds=0.0)
        if base.health_check or any(port.protocol is PortProtocol.TCP for port in ports)
        else None,
    )
    return moved, rest


def _read_distant_ports(
    base: ServiceDefinition, where: Mapping[str, Any], path: Path, report: Report
) -> tuple[PortDefinition, ...]:
    """The ports that are written, under the names that the service is known by; of no other is anything known there."""
    written = _raw_entry(report.document, (*path, "external"))
    if isinstance(written, dict) and written.get("port") is written.get("ports") is None:
        report.key((*path, "external"), "`port` is missing")
    unnumbered = tuple(
        dataclasses.replace(port, number=None, target=None, is_explicit=False)
        for port in base.ports
    )
    named = dataclasses.replace(base, ports=unnumbered)
    ports = _read_ports(named, where, (*path, "external"), report)
    return tuple(port for port in ports if port.number is not None)


def complete_definition(
    base: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> ServiceDefinition:
    """A definition with what an entry (or a profile) gives put over it; mistakes are reported."""
    changes = {_FIELDS[key]: value for key, value in given.items() if key in _FIELDS}
    changes["has_own_args"] = base.has_own_args or "args" in given
    if "type" in given:
        changes["type"] = ServiceType(given["type"])
    if "depends_on" in given:
        changes["depends_on"] = _full_names(given["depends_on"])
        changes["needs"] = {
            SHORT_NAMES.get(word, ServiceName(word)): need
            for word, need in given["depends_on"].items()
            if need != PLAIN_NEED
        }
    if "runtime" in given:
        runtime = given["runtime"]
        changes["runtime"] = None if runtime == "auto" else Runtime(runtime)
    changes |= _locate_all(given, path, report)
    if "env" in given:
        changes["env"] = {**base.env, **given["env"]}
    if "secrets" in given:
        changes["secrets"] = _read_secrets(
            given, {**base.env, **given.get("env", {})}, path, report
        )
    if "config" in given:
        driver = given.get("driver", base.driver)
        config = read_config(given["config"], driver, (*path, "config"), report)
        changes["config"] = {**base.config, **config}
        if "persist" in config:
            changes["persist"] = config["persist"]
    changes["resources"] = _read_resources(base.resources, given, path, report)
    native = given.get("native", {})
    changes |= {_NATIVE_FIELDS[key]: value for key, value in native.items()}
    ports = _read_ports(base, given, path, report)
    changes["ports"] = ports
    if "health_check" in given:
        changes["health_check"] = _read_check(given["health_check"], ports, path, report)
    else:
        check = _keep_check(base.health_check, ports)
        changes["health_check"] = _without_jetstream(check) if "args" in given else check
    _check_protocol(changes["health_check"], ports, given, path, report)
    definition = dataclasses.replace(base, **changes)
    if {"port", "ports", "container"} & set(given):
        _check_mappings(definition, given, path, report)
    return definition


def _locate_all(given: Mapping[str, Any], path: Path, report: Report) -> dict[str, Any]:
    """What is relative to the catalog, made absolute."""
    directory = report.document.directory
    located: dict[str, Any] = {}
    if "command" in given:
        located["command"] = _locate_program(given["command"], directory)
        # A list whose words all have mistakes is not empty, and has been reported.
        written = _raw_entry(report.document, path).get("command")
        if not given["command"] and not (isinstance(written, list) and written):
            report.value((*path, "command"), "command is empty")
    if "working_directory" in given:
        located["working_directory"] = locate(given["working_directory"], directory)
    if "watch" in given:
        located["watch"] = tuple(locate(each, directory) for each in given["watch"])
        _check_watched(located["watch"], given, path, report)
    if "volumes" in given:
        located["volumes"] = tuple(locate_volume(volume, directory) for volume in given["volumes"])
    return located


def _check_watched(
    located: Sequence[str], given: Mapping[str, Any], path: Path, report: Report
) -> None:
    """Watched paths are plain ones: nothing is replaced in them, and no pattern is understood."""
    seen: set[str] = set()
    for index, (place, written) in enumerate(zip(located, given["watch"], strict=True)):
        where = (*path, "watch", index)
        if MARK in written:
            report.value(where, f"watch `{written}` has a reference; only paths are watched")
        elif any(letter in written for letter in "*?["):
            report.value(
                where, f"watch `{written}` is a pattern; a directory is watched with all in it"
            )
        elif place in seen:
            report.value(where, f"watch `{written}` is there twice")
        seen.add(place)


def _take_over(packaged: ServiceDefinition, given: Mapping[str, Any]) -> ServiceDefinition:
    """The packaged definition without those ways to run it that the entry replaces by its own."""
    image = given.get("container", packaged.container)
    own_image = image != packaged.container
    own_command = given.get("command", packaged.command) != packaged.command
    if not own_image and not own_command:
        return packaged
    if not own_command and _is_same_repository(image, packaged.container):
        # Another release: it takes the same arguments, but no program of this machine stands for it.
        return dataclasses.replace(packaged, command=(), init=(), user="", program_version="")
    # Another image or program is another thing: the packaged arguments and alternatives are not meant for it.
    return dataclasses.replace(
        packaged,
        container="",
        command=(),
        args=(),
        has_own_args=False,
        init=(),
        user="",
        container_user="",
        program_version="",
        volumes=(),
        env={},
        runtime=None,
        health_check=_without_jetstream(packaged.health_check),
    )


def _is_same_repository(image: str, other: str) -> bool:
    if MARK in image or not other:
        return False
    return parse_image_name(image)[:2] == parse_image_name(other)[:2]


def _check_runnable(
    definition: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> None:
    runtime = definition.runtime
    is_builtin = "builtin" in given or definition.name in BUILTIN
    where = (*path, "runtime")
    if "builtin" in given and ("command" in given or "container" in given):
        report.key((*path, "builtin"), "builtin leaves no room for `command` or `container`")
    elif "builtin" in given and given["builtin"] != definition.name:
        report.value(
            (*path, "builtin"),
            f"builtin `{given['builtin']}` has another name; an entry of that name stands for it",
        )
    _check_volumes(definition, given, path, report)
    if runtime is Runtime.CONTAINER and not definition.container:
        report.value(where, "runtime container needs `container`")
    elif runtime is Runtime.NATIVE and not definition.command:
        report.value(where, "runtime native needs `command`")
    elif runtime is Runtime.BUILTIN and not is_builtin:
        report.value(where, f"does not ship with prismctl; {', '.join(sorted(BUILTIN))} do")
    is_nameable = runtime in {Runtime.BINARY, Runtime.EXTERNAL} or definition.name in PACKAGED
    if not (definition.command or definition.container or is_builtin or is_nameable):
        mentioned = {"command", "container"} & set(given)
        if not mentioned and not _is_refused(("command", "container"), given, path, report):
            report.key(
                path,
                "has neither `command` nor `container`: there is nothing to run",
                suggestion=nearest_name(definition.name, [*PACKAGED, *SHORT_NAMES]),
            )


def _check_volumes(
    definition: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> None:
    """A program of this machine is shown nothing by a volume; who writes one expects it to be."""
    if (
        given.get("volumes")
        and not definition.container
        and not _is_refused(("container",), given, path, report)
    ):
        report.key(
            (*path, "volumes"),
            "volumes has no meaning without `container`: a program of this machine sees all of it",
        )


def _is_refused(keys: Iterable[str], given: Mapping[str, Any], path: Path, report: Report) -> bool:
    """Whether the entry writes one of the keys, and its mistakes have been reported."""
    written = _raw_entry(report.document, path)
    return any(key in written and key not in given for key in keys)


def _raw_entry(document: Document, path: Path) -> Mapping[Any, Any]:
    value: Any = document.tree
    for step in path:
        value = value[step]
    return value if isinstance(value, dict) else {}


def _read_secrets(
    given: Mapping[str, Any], env: Mapping[str, str], path: Path, report: Report
) -> frozenset[str]:
    for index, name in enumerate(given["secrets"]):
        if name not in env:
            report.problems.add(
                f"{report.subject}: secret `{name}` is not a key of `env`",
                report.document.place_of_value((*path, "secrets", index)),
                suggestion=nearest_name(name, env),
            )
    return frozenset(given["secrets"])


def _read_resources(
    base: Resources, given: Mapping[str, Any], path: Path, report: Report
) -> Resources:
    """What a scheduler is told; a limit of memory is also what is reserved, unless that is said apart."""
    resources = given.get("resources", {})
    if "cpu" in given and "cpu" in resources:
        report.key((*path, "cpu"), "both `cpu` and `resources.cpu` are given; one of them says it")
    limit = given.get("memory_mb")
    reserved = resources.get("memory", limit)
    if limit is not None and reserved > limit:
        report.value(
            (*path, "resources", "memory"),
            f"memory {reserved} is more than memory_mb {limit}, beyond which a container is killed",
        )
    return Resources(
        cpu_mhz=resources.get("cpu", given.get("cpu", base.cpu_mhz)),
        memory_mb=base.memory_mb if reserved is None else reserved,
        memory_limit_mb=base.memory_limit_mb if limit is None else limit,
    )


def _read_ports(
    base: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> tuple[PortDefinition, ...]:
    if "port" in given and "ports" in given:
        report.key((*path, "port"), "both `port` and `ports` are given; `ports` alone says it all")
    if "ports" in given:
        ports = given["ports"]
        if isinstance(ports, dict):
            return tuple(_define_port(base, name, written) for name, written in ports.items())
        names = [port.name for port in base.ports]
        names += [
            f"port{position}" if position > 1 else MAIN_PORT
            for position in range(len(names) + 1, len(ports) + 1)
        ]
        return tuple(
            _define_port(base, name, written) for name, written in zip(names, ports, strict=False)
        ) + tuple(base.ports[len(ports) :])
    if "port" in given:
        name = base.ports[0].name if base.ports else MAIN_PORT
        rest = base.ports[1:]
        first = _define_port(base, name, given["port"])
        if any(port.wanted == first.wanted is not None for port in rest):
            report.value((*path, "port"), f"port {first.wanted} is there twice")
        return (first, *rest)
    return base.ports


def _define_port(base: ServiceDefinition, name: str, written: WrittenPort) -> PortDefinition:
    number, target, protocol = written
    for port in base.ports:
        if port.name == name:
            changed = dataclasses.replace(
                port, number=number, target=target, protocol=protocol or port.protocol
            )
            is_explicit = number is not None and (port.is_explicit or port.wanted != changed.wanted)
            return dataclasses.replace(changed, is_explicit=is_explicit)
    return PortDefinition(
        name=name,
        number=number,
        is_explicit=number is not None,
        target=target,
        protocol=protocol or PortProtocol.TCP,
    )


def _check_mappings(
    definition: ServiceDefinition, given: Mapping[str, Any], path: Path, report: Report
) -> None:
    """A number inside has a meaning for a container alone, and for a server that does not tell its own to clients."""
    for index, port in enumerate(definition.ports):
        if port.target is None:
            continue
        where = (*path, "port")
        if "ports" in given:
            where = (*path, "ports", port.name if isinstance(given["ports"], dict) else index)
        outside = AUTO if port.number is None else port.number
        shown = f"{outside}:{port.target}{protocol_suffix(port.protocol)}"
        if not definition.container:
            report.value(
                where,
                f"port `{shown}` names a port inside a container, and there is no `container`; "
                f"`{render_port(port)}` alone is a port",
            )
        elif port.is_advertised and port.number != port.target:
            report.value(
                where,
                f"port `{shown}`: the server tells its clients the number of port {port.name}, "
                "so it is the same inside",
            )


def _keep_check(check: HealthCheck | None, ports: Sequence[PortDefinition]) -> HealthCheck | None:
    """A packaged check, as long as the port it asks is still there under its name."""
    if check is None or not isinstance(check.port, str):
        return check
    names = [port.name for port in ports]
    return check if check.port in names else dataclasses.replace(check, port=None)


def _without_jetstream(check: HealthCheck | None) -> HealthCheck | None:
    """A packaged check for arguments that are not the packaged ones, which alone turn JetStream on for sure."""
    return dataclasses.replace(check, jetstream=False) if check else None


def _read_check(
    given: Mapping[str, Any], ports: Sequence[PortDefinition], path: Path, report: Report
) -> HealthCheck:
    where = (*path, "health_check")
    suggested = [
        kinds[0] for key, kinds in _KEYS_OF_CHECKS.items() if key in given and len(kinds) == 1
    ]
    kind = CheckType(given.get("type") or (suggested[0] if suggested else "tcp"))
    # With a key that is wrong, what follows from the others would only be noise.
    if all(key in given for key in _raw_entry(report.document, where)):
        _check_keys(kind, given, where, report)
        _check_asked_port(kind, given, ports, where, report)
    default = HealthCheck(type=kind)
    return HealthCheck(
        type=kind,
        port=given.get("port"),
        path=given.get("path", default.path),
        command=given.get("command", ()),
        pattern=given.get("pattern", ""),
        user=given.get("user", ""),
        password=given.get("password", ""),
        jetstream=given.get("jetstream", False),
        interval_seconds=given.get("interval", default.interval_seconds),
        timeout_seconds=given.get("timeout", default.timeout_seconds),
        start_period_seconds=given.get("start_period", default.start_period_seconds),
    )


def _check_keys(kind: CheckType, given: Mapping[str, Any], where: Path, report: Report) -> None:
    for key, kinds in _KEYS_OF_CHECKS.items():
        if key in given and kind not in kinds:
            report.key((*where, key), f"{key} has no meaning for a check of type {kind}")
    for key, needed in (("command", "exec"), ("pattern", "log")):
        if kind == needed and not given.get(key):
            report.key(where, f"a check of type {kind} needs `{key}`")
    if "pattern" in given:
        try:
            # What the library would merely warn about is no mistake, and no business of the terminal's.
            with warnings.catch_warnings(action="ignore"):
                re.compile(given["pattern"])
        except (re.error, OverflowError, RecursionError) as error:
            report.value((*where, "pattern"), f"pattern is no regular expression: {error}")


def _check_asked_port(
    kind: CheckType,
    given: Mapping[str, Any],
    ports: Sequence[PortDefinition],
    where: Path,
    report: Report,
) -> None:
    if kind.is_asked_at_port:
        names = [port.name for port in ports]
        port = given.get("port")
        if isinstance(port, str) and port not in names:
            report.unknown_value((*where, "port"), "port", port, names)
        elif port is None and not ports:
            report.key(where, f"a check of type {kind} needs a port, and the service has none")
    elif "port" in given:
        report.key((*where, "port"), f"port has no meaning for a check of type {kind}")


def _check_protocol(
    check: HealthCheck | None,
    ports: Sequence[PortDefinition],
    given: Mapping[str, Any],
    path: Path,
    report: Report,
) -> None:
    """A check that asks at a port makes a connection; where the port is UDP, none can be made."""
    if check is None or not check.type.is_asked_at_port:
        return
    if check.port is None:
        asked = list(ports)
    else:
        asked = [each for each in ports if check.port in {each.name, each.number, each.target}]
    if not asked or any(each.protocol is PortProtocol.TCP for each in asked):
        return
    first = asked[0]
    message = (
        f"a check of type {check.type} asks at a TCP port, and {first.name} is {render_port(first)}"
    )
    if "health_check" in given:
        key = next((key for key in ("port", "type") if key in given["health_check"]), "")
        report.value((*path, "health_check", *([key] if key else [])), message)
    else:
        where = (*path, "external") if "external" in given else path
        said = given.get("external", given)
        report.value((*where, "port" if "port" in said else "ports"), message)
    report.problems.add_hint(
        _NO_ANSWER_ELSEWHERE
        if "external" in given
        else "for a UDP port, `type: exec` asks by a command and `type: log` by a line that is printed; "
        "without a check, a service that has no other ports is healthy while it lives"
    )


def _full_names(words: Iterable[str]) -> tuple[ServiceName, ...]:
    names = (SHORT_NAMES.get(word, ServiceName(word)) for word in words)
    return tuple(dict.fromkeys(names))


def locate(path: str, directory: str) -> str:
    """An absolute path for one that is relative to the catalog; a variable in front is left to the plan."""
    if path.startswith(("/", "${", "~")) or not directory:
        return path
    return posixpath.normpath(posixpath.join(directory, path))


def _locate_program(command: tuple[str, ...], directory: str) -> tuple[str, ...]:
    """A program written with a slash is a path; one without is looked for on PATH."""
    if not command or "/" not in command[0]:
        return command
    return (locate(command[0], directory), *command[1:])


def locate_volume(volume: str, directory: str) -> str:
    """A volume whose place on this machine is absolute, if it is one that was written relative to the catalog."""
    """A host's path is located; a name alone is a directory of the service's data."""
    host = host_of(volume)
    is_path = "/" in host or host in {".", ".."}
    return f"{locate(host, directory)}{volume[len(host) :]}" if is_path else volume
