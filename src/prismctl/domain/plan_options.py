"""What a plan depends on beside what was selected, the catalog and the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prismctl.domain.service import DEFAULT_STACK, Runtime, ServiceName, StackName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prismctl.domain.host_port import HostPort
    from prismctl.domain.plan import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Of the one who asks for the plan, and of what runs already."""

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
