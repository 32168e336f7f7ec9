"""One service of a catalog: what an entry says, put over what ships, and checked for sense."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.catalog_paths import locate_all
from prismctl.domain.compose_words import IMAGE_KEYS
from prismctl.domain.containers import parse_image_name
from prismctl.domain.host_port import PortProtocol
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
from prismctl.domain.service_check import (
    check_protocol,
    keep_check,
    read_check,
    without_jetstream,
)
from prismctl.domain.service_ports import check_mappings, read_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prismctl.domain.document import Path, Report


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
    written = report.document.mapping_at((*path, "external"))
    if isinstance(written, dict) and written.get("port") is written.get("ports") is None:
        report.key((*path, "external"), "`port` is missing")
    unnumbered = tuple(
        dataclasses.replace(port, number=None, target=None, is_explicit=False)
        for port in base.ports
    )
    named = dataclasses.replace(base, ports=unnumbered)
    ports = read_ports(named, where, (*path, "external"), report)
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
    changes |= locate_all(given, path, report)
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
    ports = read_ports(base, given, path, report)
    changes["ports"] = ports
    if "health_check" in given:
        changes["health_check"] = read_check(given["health_check"], ports, path, report)
    else:
        check = keep_check(base.health_check, ports)
        changes["health_check"] = without_jetstream(check) if "args" in given else check
    check_protocol(changes["health_check"], ports, given, path, report)
    definition = dataclasses.replace(base, **changes)
    if {"port", "ports", "container"} & set(given):
        check_mappings(definition, given, path, report)
    return definition


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
        health_check=without_jetstream(packaged.health_check),
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
        if not mentioned and not report.has_refused(("command", *IMAGE_KEYS), given, path):
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
        and not report.has_refused(IMAGE_KEYS, given, path)
    ):
        report.key(
            (*path, "volumes"),
            "volumes has no meaning without `container`: a program of this machine sees all of it",
        )


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


def _full_names(words: Iterable[str]) -> tuple[ServiceName, ...]:
    names = (SHORT_NAMES.get(word, ServiceName(word)) for word in words)
    return tuple(dict.fromkeys(names))
