"""A service while it is translated: what is known of it before it is known what the others say about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from prismctl.domain.host_port import PortProtocol, protocol_suffix
from prismctl.domain.needs import Condition
from prismctl.domain.problems import NOWHERE, Place

if TYPE_CHECKING:
    from prismctl.domain.service import ServiceName


@dataclass(frozen=True, slots=True)
class DraftPort:
    """A port that the service listens on."""

    number: int
    """Inside, where its server listens."""
    name: str = ""
    """What the file calls it; empty: nothing."""
    outside: int | None = None
    """What it is published as, where that is another number."""
    place: Place = NOWHERE
    """Where the file says so."""
    protocol: PortProtocol = PortProtocol.TCP


@dataclass(slots=True, kw_only=True)
class Draft:
    """What one service of a foreign file comes to."""

    source_name: str
    name: ServiceName
    place: Place = NOWHERE
    type: str = "application"
    container: str = ""
    command: list[str] = field(default_factory=list)
    """A program of this machine."""
    args: list[str] | None = None
    """``None``: the image's own."""
    args_place: Place = NOWHERE
    working_directory: str = ""
    ports: list[DraftPort] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    env_places: dict[str, Place] = field(default_factory=dict)
    """Where the file says each of them."""
    env_files: dict[str, str] = field(default_factory=dict)
    """The file of variables that each of them comes from, where it is one."""
    secrets: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    named_volumes: dict[str, Place] = field(default_factory=dict)
    """Those that the file calls by a name, by which others could mean the same one."""
    persist: bool = False
    depends_on: dict[str, Place] = field(default_factory=dict)
    """Names in the file, with where it says so."""
    optional: set[str] = field(default_factory=set)
    """Those of them that it can do without."""
    awaited_starts: set[str] = field(default_factory=set)
    """Those of them that only have to have begun."""
    awaited_ends: list[str] = field(default_factory=list)
    """Those of them that have to be completed rather than healthy."""
    awaited_health: dict[str, Place] = field(default_factory=dict)
    """Those of them of which the file says that they have to be healthy, with where it does."""
    health_check: dict[str, Any] = field(default_factory=dict)
    check_place: Place = NOWHERE
    one_shot: bool = False
    replicas: int | None = None
    cpu_mhz: int | None = None
    memory_mb: int | None = None
    memory_limit_mb: int | None = None
    maps_ports: bool = False
    """Whether its ports can have other numbers outside."""
    stop_grace: str = ""
    aliases: list[str] = field(default_factory=list)
    """Further names that others know it by."""

    def port_name(self, index: int) -> str:
        """What one of its ports is called in the catalog."""
        port = self.ports[index]
        if port.name and all(each.name != port.name for each in self.ports[:index]):
            return port.name
        suffix = protocol_suffix(port.protocol).replace("/", "-")
        return "main" if index == 0 else f"p{port.number}{suffix}"

    def add_port(self, port: DraftPort) -> bool:
        """Take note of a port; whether it was not there yet."""
        if any((each.number, each.protocol) == (port.number, port.protocol) for each in self.ports):
            return False
        outside = None if port.outside == port.number else port.outside
        self.ports.append(replace(port, outside=outside))
        return True

    @property
    def mapped_ports(self) -> tuple[DraftPort, ...]:
        """Those that have another number outside."""
        return tuple(port for port in self.ports if port.outside is not None)

    def entry(self, names: dict[str, ServiceName]) -> dict[str, Any]:
        """The entry of the catalog: only what has something to say, in the order in which people write it."""
        resources = {"cpu": self.cpu_mhz, "memory": self._reserved_memory()}
        keys: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            **self._ports_entry(),
            "container": self.container,
            "command": self.command,
            "args": self.args,
            "working_directory": self.working_directory,
            "depends_on": self._needs_entry(names),
            "env": self.env,
            "secrets": [each for each in self.secrets if each in self.env],
            "volumes": self.volumes,
            "persist": self.persist,
            "health_check": self.health_check,
            "one_shot": self.one_shot,
            "replicas": self.replicas,
            "memory_mb": self.memory_limit_mb,
            "resources": {key: value for key, value in resources.items() if value is not None},
            "stop_grace": self.stop_grace,
        }
        return {
            key: value
            for key, value in keys.items()
            if value not in (None, "", [], {}, False) or (key == "args" and value == [])
        }

    def _needs_entry(
        self, names: dict[str, ServiceName]
    ) -> list[ServiceName] | dict[ServiceName, Any]:
        needs = {names[each]: self._need_entry(each) for each in self.depends_on}
        return needs if any(needs.values()) else list(needs)

    def _need_entry(self, target: str) -> dict[str, Any]:
        condition = {"condition": Condition.STARTED.value}
        return {
            **(condition if target in self.awaited_starts else {}),
            **({"required": False} if target in self.optional else {}),
        }

    def _reserved_memory(self) -> int | None:
        """What is reserved, where that is not just the limit; it cannot be more."""
        if self.memory_mb is None or self.memory_limit_mb is None:
            return self.memory_mb
        return min(self.memory_mb, self.memory_limit_mb)

    def _ports_entry(self) -> dict[str, Any]:
        if not self.ports:
            return {}
        if len(self.ports) == 1:
            return {"port": self._write_port(self.ports[0])}
        return {
            "ports": {
                self.port_name(index): self._write_port(port)
                for index, port in enumerate(self.ports)
            }
        }

    def _write_port(self, port: DraftPort) -> int | str:
        is_mapped = port.outside is not None and self.maps_ports
        if not is_mapped and port.protocol is PortProtocol.TCP:
            return port.number
        lead = f"{port.outside}:" if is_mapped else ""
        return f"{lead}{port.number}{protocol_suffix(port.protocol)}"
