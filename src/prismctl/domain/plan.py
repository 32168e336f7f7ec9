"""The plan: everything that was decided, in one immutable value that engines obey.

A plan is made once, shown, and then applied exactly as shown. All names are resolved, all ports are numbers,
all ``${…}`` are replaced. It round-trips through JSON: the front end that made it hands it to the daemon in
that form, and the daemon keeps it as ``plan.json``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from prismctl.domain.containers import CONTAINER_REMOVAL_SECONDS, ContainerTool
from prismctl.domain.host_port import HostPort, PortProtocol
from prismctl.domain.needs import PLAIN_NEED, Condition, Need
from prismctl.domain.service import (
    GROUP_NAMES,
    CheckType,
    HealthCheck,
    Resources,
    Runtime,
    ServiceName,
    ServiceType,
    StackName,
)

LOOPBACK: Final = "127.0.0.1"
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - inside a container, whose ports are mapped to loopback alone
"""Where a server inside a container listens."""


class EngineName(StrEnum):
    """Who runs the services."""

    NOMAD = "nomad"
    LOCAL = "local"
    CLUSTER = "cluster"


ENGINES: Final = ("auto", EngineName.NOMAD.value, EngineName.LOCAL.value)
"""What can be asked for; ``auto`` goes by what is installed."""


class FailurePolicy(StrEnum):
    """What happens to the rest when a service of a start cannot be brought up."""

    KEEP = "keep"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port a service listens on."""

    name: str
    number: int
    host: str = LOOPBACK
    is_dynamic: bool = False
    """It was free and taken for this plan, rather than asked for by number."""
    target: int | None = None
    """The number inside the container, where the port is mapped; ``None``: it is the same everywhere."""
    wanted: int | None = None
    """What was asked for and could not be had; ``None`` where the number is as it was asked for."""
    taken_by: str = ""
    """Who has the wanted number, in words; empty where that could not be seen."""
    protocol: PortProtocol = PortProtocol.TCP

    @property
    def host_port(self) -> HostPort:
        """What it takes of the machine it is on."""
        return HostPort(self.number, self.protocol)

    @property
    def is_tcp(self) -> bool:
        """Whether one connects to it, so that a check can ask there."""
        return self.protocol is PortProtocol.TCP

    @property
    def inner_number(self) -> int:
        """The number that the service itself listens on."""
        return self.number if self.target is None else self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTemplate:
    """What depends on an instance's own ports and data directory, with ``${self.…}`` left in and all else decided."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    init: tuple[str, ...] = ()
    check_command: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One service, decided."""

    name: ServiceName
    type: ServiceType
    source: str
    """Why it is in the plan, in words: ``required``, ``preset redis``, ``needed by pattern-launcher``, ``--with``."""
    runtime: Runtime
    runtime_reason: str
    """Why this runtime, in words; empty when there was nothing to decide."""
    program: str = ""
    """For binary: its absolute path. For container: the image. For builtin: the packaged service's name."""
    command: tuple[str, ...] = ()
    """For native: the whole command line."""
    args: tuple[str, ...] = ()
    """For builtin, binary and container: what follows the program."""
    working_directory: str = ""
    """Absolute; empty: its data directory."""
    env: dict[str, str] = field(default_factory=dict)
    """What the catalog gives it; the base environment and PORT… are added when the command is made."""
    secrets: frozenset[str] = frozenset()
    depends_on: tuple[ServiceName, ...] = ()
    needs: dict[ServiceName, Need] = field(default_factory=dict)
    """What is needed of those among ``depends_on`` of which more is said than the name."""
    ports: tuple[Port, ...] = ()
    """In the catalog's order; the first is the service's main port."""
    check: HealthCheck | None = None
    """Its ``port`` is always a number here (or ``None`` for exec and log)."""
    min_uptime_seconds: float = 0.1
    one_shot: bool = False
    persist: bool = False
    replicas: int = 1
    resources: Resources = field(default_factory=Resources)
    stop_grace_seconds: float = 3.0
    volumes: tuple[str, ...] = ()
    has_host_network: bool = False
    """For container: it shares the machine's addresses, instead of having its ports mapped to them."""
    init: tuple[str, ...] = ()
    """For native: run to its end before the program, whenever the data directory is empty."""
    user: str = ""
    """For native: the account it runs under when root runs it; anybody else stays who they are.
    For container: the account inside; empty: the image's own."""
    driver: str = ""
    """Which server it is, where that is known and the program is the server's own."""
    files: dict[str, str] = field(default_factory=dict)
    """For native: texts that are written before each start, by absolute path."""
    watch: tuple[str, ...] = ()
    """Files and directories that it is made from, absolute; followed where `Terms.watch` says so."""
    template: ServiceTemplate | None = None
    """What `replicas.plan_replica` makes further instances from; ``None`` when all instances are alike."""

    @property
    def group(self) -> str:
        """Its Nomad group."""
        return GROUP_NAMES.get(self.name, self.name)

    @property
    def end_seconds(self) -> float:
        """How long it may take from being asked to end until it is gone.

        Whoever keeps a container kills it after the grace, and takes it away.
        """
        if self.runtime is Runtime.CONTAINER:
            return self.stop_grace_seconds + CONTAINER_REMOVAL_SECONDS
        return self.stop_grace_seconds

    def need_of(self, name: ServiceName) -> Need:
        """What is needed of a service that this one depends on."""
        return self.needs.get(name, PLAIN_NEED)

    @property
    def digest(self) -> str:
        """Changes exactly when what would run changes; why it is there does not count."""
        import hashlib
        import json

        relevant = service_to_json(self)
        for descriptive in ("source", "runtime_reason", "replicas", "watch"):
            del relevant[descriptive]
        for port in relevant["ports"]:
            # Where a number comes from does not change what listens there.
            del port["wanted"], port["taken_by"]
            if port["protocol"] == PortProtocol.TCP:
                # As it was written down before there was another one.
                del port["protocol"]
        # What it can do without may come and go beside it.
        required = {name for name in self.depends_on if self.need_of(name).is_required}
        relevant["depends_on"] = [name for name in self.depends_on if name in required]
        needs = {name: need for name, need in relevant.pop("needs").items() if name in required}
        if needs:
            relevant["needs"] = needs
        text = json.dumps(relevant, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a stack was asked to be run: it holds for what is added to it as well."""

    catalog: str = ""
    """The catalog that was named for it, absolute; empty: home's, or the project's."""
    runtime: str = ""
    """What is preferred where a service offers both; empty: nobody said."""
    auto_ports: bool = False
    persist: bool = False
    watch: bool = False
    """Services are restarted when the files change that they are made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody typed or picked to have a stack, and where they stood: why it is as it is can be told from it."""

    directory: str
    """Absolute: a project file is looked for there, and relative paths start there."""
    preset: str = ""
    profile: str = ""
    """A name, or a file."""
    picked: tuple[str, ...] | None = None
    """What was chosen in the picker; ``None``: there was none."""
    with_services: tuple[str, ...] = ()
    without_services: tuple[str, ...] = ()
    engine: str = ""
    runtime: str = ""
    auto_ports: bool | None = None
    persist: bool | None = None
    on_failure: str = ""
    wait_seconds: float | None = None
    random_seed: int | None = None
    """What a random preset was drawn by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """A whole stack, decided."""

    stack: StackName
    engine: EngineName
    engine_reason: str
    origin: str
    """What was chosen, as a person would say it: ``minimal``, ``profile my-setup``, ``services.yaml``."""
    services: tuple[ServicePlan, ...]
    """In an order in which every service comes after what it depends on."""
    base_env: dict[str, str] = field(default_factory=dict)
    """The part of the starter's environment that every service gets (PATH, HOME, locale, proxies)."""
    project: str = ""
    """The project file that had a say in it, absolute; empty without one."""
    profile: str = ""
    """The file of the profile that it was made from, absolute; empty without one."""
    terms: Terms = field(default_factory=Terms)
    asked: Asked | None = None
    """``None``: a plan of an earlier version, or one that nobody asked for in words."""
    containers: ContainerTool | None = None
    """What runs the containers; ``None`` when there are none."""
    missing_images: tuple[str, ...] = ()
    """Images that have to be pulled before anything of them can run."""
    once_seconds: float = 0.0
    """What making it took that a machine takes once, as trying how containers run: no later start has that."""

    def service(self, name: str) -> ServicePlan:
        """The service of that name.

        Raises:
            KeyError: there is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)

    @property
    def names(self) -> tuple[ServiceName, ...]:
        """The services' names in start order."""
        return tuple(service.name for service in self.services)

    @property
    def job_id(self) -> str:
        """The Nomad job of this stack."""
        return "prism-stack" if self.stack == "default" else f"prism-stack-{self.stack}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanges:
    """What has to happen to get from one plan to another."""

    added: tuple[ServiceName, ...] = ()
    removed: tuple[ServiceName, ...] = ()
    changed: tuple[ServiceName, ...] = ()
    """What would run is different."""
    scaled: tuple[ServiceName, ...] = ()
    """Only the number of replicas is different."""

    def __bool__(self) -> bool:
        """Whether anything has to happen."""
        return bool(self.added or self.removed or self.changed or self.scaled)


def compare_plans(before: StackPlan | None, after: StackPlan) -> PlanChanges:
    """The difference between what runs and what shall run; nothing, for a plan and itself."""
    old = {service.name: service for service in before.services} if before else {}
    new = {service.name: service for service in after.services}
    both = [name for name in new if name in old]
    changed = tuple(name for name in both if old[name].digest != new[name].digest)
    return PlanChanges(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=changed,
        scaled=tuple(
            name
            for name in both
            if name not in changed and old[name].replicas != new[name].replicas
        ),
    )


def service_to_json(service: ServicePlan) -> dict[str, Any]:
    """The JSON form of one service of a plan, secrets included."""
    data = asdict(service)
    data["secrets"] = sorted(service.secrets)
    return data


def plan_to_json(plan: StackPlan) -> dict[str, Any]:
    """The JSON form of a plan, secrets included: for the daemon's socket and a 0600 file, nothing else."""
    data = asdict(plan)
    data["services"] = [service_to_json(service) for service in plan.services]
    return data


def port_from_json(data: dict[str, Any]) -> Port:
    """The port that stands in a plan's JSON form."""
    fields = {name: data[name] for name in Port.__dataclass_fields__ if name in data}
    return Port(**fields | {"protocol": PortProtocol(fields.get("protocol", PortProtocol.TCP))})


def plan_from_json(data: dict[str, Any]) -> StackPlan:
    """The plan that `plan_to_json` wrote."""
    fields = {name: data[name] for name in StackPlan.__dataclass_fields__ if name in data}
    fields["engine"] = EngineName(fields["engine"])
    if fields.get("containers") is not None:
        fields["containers"] = ContainerTool(**fields["containers"])
    fields["missing_images"] = tuple(fields.get("missing_images", ()))
    fields["terms"] = Terms(**fields.get("terms", {}))
    if fields.get("asked") is not None:
        fields["asked"] = _asked_from_json(fields["asked"])
    fields["services"] = tuple(_service_from_json(service) for service in data["services"])
    return StackPlan(**fields)


def _asked_from_json(data: dict[str, Any]) -> Asked:
    fields = {name: data[name] for name in Asked.__dataclass_fields__ if name in data}
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Asked(**{**fields, **lists})


def _service_from_json(data: dict[str, Any]) -> ServicePlan:
    fields = {name: data[name] for name in ServicePlan.__dataclass_fields__ if name in data}
    check = fields.get("check")
    if check is not None:
        fields["check"] = HealthCheck(
            **{**check, "type": CheckType(check["type"]), "command": tuple(check["command"])}
        )
    fields["type"] = ServiceType(fields["type"])
    fields["runtime"] = Runtime(fields["runtime"])
    fields["secrets"] = frozenset(fields["secrets"])
    fields["ports"] = tuple(map(port_from_json, fields["ports"]))
    fields["resources"] = Resources(**fields["resources"])
    for name in ("command", "args", "depends_on", "volumes", "init", "watch"):
        fields[name] = tuple(fields.get(name, ()))
    fields["needs"] = {
        name: Need(Condition(need["condition"]), need["is_required"])
        for name, need in fields.get("needs", {}).items()
    }
    template = fields.get("template")
    if template is not None:
        texts = {name: tuple(value) for name, value in template.items() if isinstance(value, list)}
        fields["template"] = ServiceTemplate(**{**template, **texts})
    return ServicePlan(**fields)
