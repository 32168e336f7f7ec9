"""Kafka on this machine: Java is started without the script in between, on storage that was formatted once.

What the script would take from the environment counts here, too: `JAVA_HOME`, `KAFKA_HEAP_OPTS`,
`KAFKA_JVM_PERFORMANCE_OPTS`, `KAFKA_LOG4J_OPTS`, `KAFKA_OPTS`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.kafka_properties import CLUSTER
from prismctl.errors import MissingToolError
from prismctl.files.kafka_home import find_libs
from prismctl.machine import find_program
from prismctl.runtime.servers import kafka_archive_here, kafka_format_here
from prismctl.runtime.servers.launch import (
    Launch,
    fingerprint,
    render_copy,
    render_script,
    template_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.plan import ServicePlan

_TUNING: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a broker that is to be there soon and to do little: the fast compiler alone, and one collector thread."""
_HEAP: Final = ("-Xms64m", "-Xmx256m")
_FORMATTED: Final = frozenset(
    {
        "process.roles",
        "node.id",
        "controller.quorum.voters",
        "controller.listener.names",
        "listeners",
        "advertised.listeners",
        "inter.broker.listener.name",
        "listener.security.protocol.map",
        "log.dirs",
    }
)
"""Properties that storage cannot be formatted without."""


def render_kafka(
    service: ServicePlan,
    launch: Launch,
    environment: Mapping[str, str],
    data: str,
    cache: Path,
) -> Launch:
    """The launch with Java in place of the script; unchanged where nobody knows where the jars are.

    Raises:
        MissingToolError: there is no Java.
    """
    libs = find_libs(Path(launch.program))
    if libs is None:
        return launch
    java = _find_java(service, environment)
    jars = sorted(str(path) for path in libs.glob("*.jar"))
    machine = (java, *_read_options(environment), "-cp", ":".join(jars))
    arguments = launch.command[1:]
    properties = _read_overrides(arguments)
    if service.ports and properties.get("log.dirs") == data:
        storage = (*machine, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c")
        make = _render_format(properties, data, storage)
        jar = next(jar for jar in jars if Path(jar).name.startswith("kafka_"))
        template = template_path(service, make, data, cache, madeby=jar)
        archive = cache / f"kafka-{fingerprint([java, *jars], machine)}.jsa"
        train = _render_training(machine, properties, data)
        command = (
            *(*render_script(kafka_archive_here.__file__), str(archive)),
            *(str(service.ports[0].number), str(template), str(len(train)), *train),
            *(machine[0], f"-XX:SharedArchiveFile={archive}", *machine[1:]),
            *("kafka.Kafka", *arguments),
        )
        init = launch.init or render_copy(service, make, data, cache, madeby=jar)
        return launch._replace(command=command, init=init)
    return launch._replace(command=(*machine, "kafka.Kafka", *arguments))


def _find_java(service: ServicePlan, environment: Mapping[str, str]) -> str:
    found = find_program("java", environment)
    if not found:
        raise MissingToolError(
            f"{service.name}: `java` is not installed",
            hint="install it, or set JAVA_HOME to where it is",
        )
    return str(Path(found).resolve())


def _read_options(environment: Mapping[str, str]) -> tuple[str, ...]:
    """What Java is told, each part by its variable where there is one."""

    def read(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        given = environment.get(name, "")
        return tuple(shlex.split(given)) if given else default

    # Where the logger comes with the jars, the level below which it says nothing.
    log = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
    return (
        *read("KAFKA_HEAP_OPTS", _HEAP),
        *read("KAFKA_JVM_PERFORMANCE_OPTS", _TUNING),
        *read("KAFKA_LOG4J_OPTS", log),
        *read("KAFKA_OPTS", ()),
    )


def _read_overrides(arguments: tuple[str, ...]) -> dict[str, str]:
    words = iter(arguments)
    pairs = [next(words, "") for word in words if word == "--override"]
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _render_format(
    properties: Mapping[str, str], data: str, storage: tuple[str, ...]
) -> tuple[str, ...]:
    # Which ports it listens on leaves no trace in what is formatted, and any will do.
    told = {name: text for name, text in properties.items() if name in _FORMATTED}
    told |= _listeners(properties, "9092", "9093")
    text = "".join(f"{name}={value}\n" for name, value in told.items())
    return (*render_script(kafka_format_here.__file__), data, text, *storage)


def _render_training(
    machine: tuple[str, ...], properties: Mapping[str, str], data: str
) -> tuple[str, ...]:
    """A second Kafka that differs in its ports and its data, with places for both."""
    own = {**properties, **_listeners(properties, "{broker}", "{controller}")}
    own["log.dirs"] = own["log.dirs"].replace(data, "{data}")
    overrides = [word for name, text in own.items() for word in ("--override", f"{name}={text}")]
    first = (machine[0], "-XX:ArchiveClassesAtExit={archive}", *machine[1:])
    return (*first, "kafka.Kafka", "/dev/null", *overrides)


def _listeners(properties: Mapping[str, str], broker: str, controller: str) -> dict[str, str]:
    """The properties that name addresses, with others in them."""
    name = properties.get("controller.listener.names", "CONTROLLER")
    inner = properties.get("inter.broker.listener.name", "BROKER")
    return {
        "controller.quorum.voters": f"{properties.get('node.id', '1')}@localhost:{controller}",
        "listeners": f"{inner}://127.0.0.1:{broker},{name}://localhost:{controller}",
        "advertised.listeners": f"{inner}://127.0.0.1:{broker}",
    }
