"""The catalog as people write it: one table of keys, from which validator and JSON Schema are made."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from prismctl.domain.compose_words import COMPOSE_CHECK_WORDS, COMPOSE_WORDS
from prismctl.domain.packaged import BUILTIN
from prismctl.domain.replica_limit import MAX_REPLICAS
from prismctl.domain.servers.registry import all_settings
from prismctl.domain.service import AGENT_NAMES, NAME_PATTERN, CheckType, Runtime, ServiceType
from prismctl.domain.shape import (
    INVALID,
    VARIABLE_PATTERN,
    Duration,
    Fields,
    Flag,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Text,
    Whole,
    Words,
    Written,
    describe,
)
from prismctl.domain.version_range import RANGE_PATTERN
from prismctl.domain.written_dependencies import Dependencies
from prismctl.domain.written_images import ImageText
from prismctl.domain.written_ports import DistantPort, OnePort, PortReference, SeveralPorts
from prismctl.domain.written_volumes import Volume

if TYPE_CHECKING:
    from prismctl.domain.document import Path, Report

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MAX_MEMORY_MB: Final = 1 << 20
_MIN_MEMORY_LIMIT_MB: Final = 6
"""Under less no container can be started."""
_MAX_CPU_MHZ: Final = 1_000_000
_RUNTIMES: Final = (
    "auto",
    *(runtime.value for runtime in Runtime if runtime is not Runtime.EXTERNAL),
)
_VARIABLE: Final = "a variable name (letters, digits, `_`)"


@dataclasses.dataclass(frozen=True, slots=True)
class _Name:
    """What a service is called; what the engine's agents are called is taken."""

    text: Text = dataclasses.field(
        default_factory=lambda: Text(
            NAME_PATTERN, "a name (lower case letters, digits and `-`, at most 63)"
        )
    )

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The name itself."""
        name = self.text.read(value, path, report)
        if name in AGENT_NAMES:
            report.value(
                path,
                f"name `{name}` belongs to the engine's agent, whose log and page are found by it; "
                f"`my-{name}` is free",
            )
            return INVALID
        return name

    def schema(self) -> dict[str, Any]:
        """A string that is none of the taken ones."""
        return {**self.text.schema(), "not": {"enum": list(AGENT_NAMES)}}


@dataclasses.dataclass(frozen=True, slots=True)
class _Config:
    """Settings of a server; which ones there are is known once its driver is."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """What is written, as it is."""
        if not isinstance(value, dict):
            report.value(path, f"config is {describe(value)}, not a mapping")
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """An object with every key that any server knows."""
        keys = {
            name: Key(setting.shape, setting.meaning) for name, setting in all_settings().items()
        }
        return Fields(keys).schema()


@dataclasses.dataclass(frozen=True, slots=True)
class _Range:
    """A range of versions; a number alone is taken as it was written."""

    def read(self, value: object, path: Path, report: Report) -> Any:
        """The range as written."""
        text = Written().read(value, path, report)
        if text is INVALID:
            return INVALID
        return Text(RANGE_PATTERN, "a range of versions, as `>=15 <18`").read(text, path, report)

    def schema(self) -> dict[str, Any]:
        """A string or a number."""
        return {"anyOf": [{"type": "string", "pattern": RANGE_PATTERN}, {"type": "number"}]}


HEALTH_CHECK: Final = Fields(
    {
        "type": Key(
            OneOf("check type", tuple(CheckType)),
            "how to ask; without it, what the other keys suggest, else tcp",
        ),
        "port": Key(
            PortReference(),
            "number or name of the port to ask, one that is TCP; the first such one otherwise",
        ),
        "path": Key(
            Text(r"^/.*", "a path that begins with `/`"), "for http; a status below 400 is healthy"
        ),
        "command": Key(Words(), "for exec: healthy when it exits with 0"),
        "pattern": Key(Text(), "for log: healthy once a line matches this regular expression"),
        "user": Key(Written(), "for redis, postgres and nats: who asks"),
        "password": Key(
            Written(),
            "for the same, shown nowhere; without one, a server that asks for it is healthy",
        ),
        "jetstream": Key(Flag(), "for nats: true when JetStream has to answer, too"),
        "interval": Key(Duration(), "between questions once the service is steady (10s)"),
        "timeout": Key(Duration(), "for one question (2s)"),
        "start_period": Key(
            Duration(is_zero_allowed=True),
            "how long failures count as starting, not as unhealthy (30s)",
        ),
    },
    COMPOSE_CHECK_WORDS,
)

RESOURCES: Final = Fields(
    {
        "cpu": Key(Whole(1, _MAX_CPU_MHZ), "MHz that a scheduler reserves"),
        "memory": Key(
            Whole(1, _MAX_MEMORY_MB), "MB that a scheduler reserves; never a limit in development"
        ),
    }
)

EXTERNAL: Final = Fields(
    {
        "host": Key(
            Text(r"^[A-Za-z0-9_.:-]{1,253}$", "a host's name or address"),
            "where it runs",
            is_required=True,
        ),
        "port": Key(DistantPort(), "where it listens there; with `/udp` behind it, where for UDP"),
        "ports": Key(
            SeveralPorts(DistantPort()), "several ports there: a list of them, or names with them"
        ),
    }
)

NATIVE: Final = Fields(
    {
        "version": Key(
            _Range(),
            "which versions of the program will do, as `>=15 <18`; another one is not started",
        ),
        "init": Key(
            Words(), "run to its end before the program, while the data directory is empty"
        ),
        "user": Key(
            Text(),
            "the account it runs under when prismctl is root; whoever else runs it stays who they are",
        ),
    }
)

SERVICE: Final = Fields(
    {
        "name": Key(
            _Name(),
            "how it is called everywhere; unique in the file, and not `nomad` or `consul`",
            is_required=True,
        ),
        "type": Key(OneOf("type", tuple(ServiceType)), "where it is listed"),
        "description": Key(Text(is_empty_allowed=True), "one line for the picker"),
        "tags": Key(
            ListOf(
                Text(NAME_PATTERN, "a tag (lower case letters, digits and `-`, at most 63)"),
                is_single_allowed=True,
            ),
            "words to find it by: in the picker, and with `catalog list WORD`; nothing else looks at them",
        ),
        "driver": Key(Text(), "what a backend speaks; says which `config` there is"),
        "required": Key(Flag(), "part of every stack"),
        "default": Key(Flag(), "part of a stack for which nothing else is chosen"),
        "depends_on": Key(
            Dependencies(),
            "services that have to be healthy first; as a mapping, with what is needed of each",
        ),
        "port": Key(
            OnePort(),
            "the port it listens on, `auto` for a free one; for a container also `HOST:INSIDE`, as `8080:80`; "
            "any of these with `/udp` behind it for UDP, as `5353/udp`",
        ),
        "ports": Key(
            SeveralPorts(), "several ports: a list of them, or names with them; one may stand alone"
        ),
        "runtime": Key(
            OneOf("runtime", _RUNTIMES), "what runs it; `auto` decides by what is there"
        ),
        "external": Key(
            EXTERNAL, "it runs elsewhere: nothing is started, it is only asked whether it is well"
        ),
        "builtin": Key(
            OneOf("builtin service", tuple(sorted(BUILTIN))),
            "the program of a service that ships with prismctl",
        ),
        "command": Key(Words(), "a program on this machine with its arguments; no shell runs"),
        "container": Key(ImageText(), "an image"),
        "args": Key(Words(), "arguments after the program or the image"),
        "native": Key(NATIVE, "details of the program on this machine"),
        "working_directory": Key(
            Text(), "where it runs; relative to the catalog; its data directory otherwise"
        ),
        "config": Key(
            _Config(), "what a Redis, PostgreSQL, NATS or Kafka is told, by its `driver`"
        ),
        "env": Key(MapOf(VARIABLE_PATTERN, _VARIABLE, Written()), "variables it gets"),
        "secrets": Key(
            ListOf(Text(), is_single_allowed=True), "keys of `env` whose values are shown nowhere"
        ),
        "volumes": Key(
            ListOf(Volume()), "what a container sees: `HOST:CONTAINER`; relative to the catalog"
        ),
        "watch": Key(
            ListOf(Text(), is_single_allowed=True),
            "files and directories that it is made from; relative to the catalog. With `start --watch` it is "
            "restarted when they change",
        ),
        "health_check": Key(HEALTH_CHECK, "how to find out whether it is ready"),
        "min_uptime": Key(
            Duration(is_zero_allowed=True),
            "with neither a check nor a port: healthy once it has lived this long; so with UDP ports where nobody can see whether they are taken (100ms)",
        ),
        "one_shot": Key(Flag(), "it ends by itself; exit code 0 completes it"),
        "persist": Key(Flag(), "keep its data from one start to the next"),
        "replicas": Key(Whole(0, MAX_REPLICAS), "how many instances (1)"),
        "memory_mb": Key(
            Whole(_MIN_MEMORY_LIMIT_MB, _MAX_MEMORY_MB),
            "for a container: MB beyond which it is killed; for any other: what a scheduler reserves, and no limit",
        ),
        "cpu": Key(Whole(1, _MAX_CPU_MHZ), "the same as `cpu` of `resources`"),
        "resources": Key(RESOURCES, "what a scheduler is told"),
        "stop_grace": Key(Duration(is_zero_allowed=True), "how long each stage of a stop has (3s)"),
    },
    COMPOSE_WORDS,
)

CATALOG: Final = Fields(
    {
        "services": Key(ListOf(SERVICE), "what can be started"),
        "core": Key(Flag(), "false: leave out the core services that the file does not name"),
    }
)


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of the catalog, for editors."""
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "Services that prismctl can start",
        **CATALOG.schema(),
    }
