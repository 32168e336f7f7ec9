"""A service as the catalog defines it: what can be started, before anything is decided."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NewType

from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.needs import PLAIN_NEED, Need

if TYPE_CHECKING:
    from collections.abc import Collection

ServiceName = NewType("ServiceName", str)
StackName = NewType("StackName", str)

NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A label of DNS: services are found by their names there."""

DEFAULT_STACK: Final = StackName("default")


SHORT_NAMES: Final = {
    "admin": ServiceName("prism-admin"),
    "launcher": ServiceName("pattern-launcher"),
    "keyvalue": ServiceName("keyvalue-runner"),
}
"""Accepted wherever a service is named; also the names of their Nomad groups."""


def is_name(text: str) -> bool:
    """Whether a service or a stack can be called this: what is read from outside is one only then."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def full_name(word: str, services: Collection[str]) -> ServiceName:
    """The name a word stands for; a service that is really called so goes before a short name."""
    name = ServiceName(word)
    return name if word in services else SHORT_NAMES.get(word, name)


AGENT_NAMES: Final = ("nomad", "consul")
"""Logs, pages and Consul's own list know the engine's agents by these; no service can be called so."""


class ServiceType(StrEnum):
    """What a service is for: where it is listed.

    Backends and messaging are also what a random stack is drawn from, and what no second instance may share data with.
    """

    CORE = "core"
    BACKEND = "backend"
    MESSAGING = "messaging"
    PATTERN = "pattern"
    OBSERVABILITY = "observability"
    APPLICATION = "application"
    TOOL = "tool"


class Runtime(StrEnum):
    """What kind of thing runs a service."""

    BUILTIN = "builtin"
    """A Prism service that ships with prismctl."""
    BINARY = "binary"
    """A program of the service's name in ``build/binaries`` or on PATH."""
    CONTAINER = "container"
    NATIVE = "native"
    """A program on this machine that the catalog names by ``command``."""
    EXTERNAL = "external"
    """Nothing: it runs elsewhere, and is only asked whether it is well."""


class CheckType(StrEnum):
    """How a service is asked whether it is ready."""

    HTTP = "http"
    TCP = "tcp"
    GRPC = "grpc"
    REDIS = "redis"
    POSTGRES = "postgres"
    NATS = "nats"
    KAFKA = "kafka"
    EXEC = "exec"
    LOG = "log"

    @property
    def is_asked_at_port(self) -> bool:
        """Whether the question goes to a port, so that the service needs one and a stranger could answer."""
        return self not in {CheckType.EXEC, CheckType.LOG}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One question whose answer says whether an instance is ready."""

    type: CheckType
    port: int | str | None = None
    """A number, or the name of one of the service's ports; ``None``: its first one that is TCP."""
    path: str = "/"
    """For http."""
    command: tuple[str, ...] = ()
    """For exec."""
    pattern: str = ""
    """For log: a regular expression."""
    user: str = ""
    """For redis, postgres and nats: who asks."""
    password: str = field(default="", repr=False)
    """For the same; without one, a server that asks for it is ready: it speaks its protocol."""
    jetstream: bool = False
    """For nats: JetStream has to answer, too."""
    interval_seconds: float = 10.0
    """Between questions once the service is steady; while it starts they come every 50 ms."""
    timeout_seconds: float = 2.0
    start_period_seconds: float = 30.0
    """How long failures count as starting, not as unhealthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortDefinition:
    """A named port; ``number`` is ``None`` where a free one is taken."""

    name: str
    number: int | None = None
    is_explicit: bool = False
    """Somebody wrote this number: a packaged number yields to it when both are in one plan."""
    is_advertised: bool = False
    """The server tells its clients this number: it is the same inside a container."""
    target: int | None = None
    """The number inside a container, where somebody wrote it; ``None``: the one that is asked for, or that it gets."""
    protocol: PortProtocol = PortProtocol.TCP

    @property
    def wanted(self) -> HostPort | None:
        """What is asked for on this machine; ``None``: any that is free."""
        return None if self.number is None else HostPort(self.number, self.protocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a scheduler is told; small on purpose, memory is never limited by it in development."""

    cpu_mhz: int = 100
    memory_mb: int = 128
    memory_limit_mb: int | None = None
    """For container: it is killed when it needs more; ``None``: it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDefinition:
    """One entry of the catalog, complete and valid in itself."""

    name: ServiceName
    type: ServiceType = ServiceType.APPLICATION
    description: str = ""
    tags: tuple[str, ...] = ()
    """Words to find it by."""
    driver: str = ""
    """What a backend speaks (memory, redis, postgres, nats, kafka); says which ``config`` it knows."""
    required: bool = False
    default: bool = False
    depends_on: tuple[ServiceName, ...] = ()
    needs: dict[ServiceName, Need] = field(default_factory=dict)
    """What is needed of those among ``depends_on`` of which more is said than the name."""
    ports: tuple[PortDefinition, ...] = ()
    host: str = ""
    """For external: where it runs."""
    runtime: Runtime | None = None
    """``None``: decided by ``choice.choose_runtime``."""
    command: tuple[str, ...] = ()
    container: str = ""
    args: tuple[str, ...] = ()
    """Follows the program (builtin, binary) or the image (container)."""
    has_own_args: bool = False
    """Somebody wrote ``args``: they follow ``command``, too. Packaged ones are meant for the image alone."""
    working_directory: str = ""
    """Absolute by the time it is here; empty: the service's own data directory."""
    env: dict[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    """Keys of ``env`` whose values are shown nowhere."""
    volumes: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    """Files and directories that it is made from, absolute."""
    health_check: HealthCheck | None = None
    min_uptime_seconds: float = 0.1
    """A service without a check is healthy once it has lived this long."""
    one_shot: bool = False
    persist: bool = False
    replicas: int = 1
    resources: Resources = field(default_factory=Resources)
    stop_grace_seconds: float = 3.0
    """How long each stage of a stop (interrupt, terminate) has before the next."""
    init: tuple[str, ...] = ()
    """For native: run to its end before the program, whenever the data directory is empty."""
    user: str = ""
    """For native: the account it runs under when root runs it; anybody else stays who they are."""
    program_version: str = ""
    """For native: which versions of the program will do, as ``>=15 <18``; empty: any."""
    container_user: str = ""
    """For container: the account inside; empty: the image's own."""
    config: dict[str, Any] = field(default_factory=dict)
    """What the server is told beside its command line, by the keys that its ``driver`` knows."""
    files: dict[str, str] = field(default_factory=dict)
    """For native: texts that are written before each start, by absolute path."""

    @property
    def requires(self) -> tuple[ServiceName, ...]:
        """What of ``depends_on`` it cannot do without, and so brings along."""
        return tuple(
            name for name in self.depends_on if self.needs.get(name, PLAIN_NEED).is_required
        )

    @property
    def group(self) -> str:
        """Its Nomad group: the short name where there is one."""
        return GROUP_NAMES.get(self.name, self.name)


GROUP_NAMES: Final = {name: short for short, name in SHORT_NAMES.items()}
