"""Where further instances listen: chosen once, remembered, so that adoption and restarts find the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from prismctl.domain.plan import port_from_json
from prismctl.domain.replicas import find_replica_ports, plan_replica
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.machine import is_port_free, reserve_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from prismctl.domain.host_port import HostPort
    from prismctl.domain.observation import InstanceKey
    from prismctl.domain.plan import Port, ServicePlan, StackPlan
    from prismctl.files.paths import StackPaths

FILE_NAME: Final = "replica-ports.json"


class ReplicaPorts:
    """The ports of every instance beyond the first."""

    def __init__(
        self,
        paths: StackPaths,
        *,
        is_free: Callable[[HostPort], bool] = lambda port: is_port_free(*port),
    ) -> None:
        self._owner = str(paths.directory)
        self._is_free = is_free
        self._file = paths.agents / FILE_NAME
        self._data = paths.data
        self._ports: dict[str, tuple[Port, ...]] = {}
        try:
            recorded = json.loads(self._file.read_text(encoding="utf-8"))
            self._ports = {
                key: tuple(map(port_from_json, ports)) for key, ports in recorded.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            # Not there, or not ours any more: they are chosen again.
            self._ports = {}

    def plan_instance(self, key: InstanceKey, plan: StackPlan) -> ServicePlan:
        """The plan of one instance: the service's own for the first, one with ports and data of its own for others.

        Raises:
            PrismError: no port is free.
        """
        service = plan.service(key.service)
        if key.replica == 0:
            return service
        data = str(self._data / str(key))
        return plan_replica(service, ports=self._choose(service, key, plan), data=data)

    def _choose(self, service: ServicePlan, key: InstanceKey, plan: StackPlan) -> tuple[Port, ...]:
        """The ports of one instance, the same each time as long as the service has the same ones.

        Raises:
            PrismError: no port is free.
        """
        known = self._ports.get(str(key), ())
        if [(port.name, port.protocol) for port in known] == [
            (port.name, port.protocol) for port in service.ports
        ]:
            return known
        taken = {port.host_port for ports in self._ports.values() for port in ports}
        # First instances may not listen yet.
        taken |= {port.host_port for other in plan.services for port in other.ports}
        try:
            chosen = find_replica_ports(
                service,
                key.replica,
                stack=plan.stack,
                is_free=lambda port: port not in taken and self._can_have(port),
            )
        except LookupError as error:
            raise PrismError(f"no port is free for {key}") from error
        self._ports[str(key)] = chosen
        return chosen

    def _can_have(self, port: HostPort) -> bool:
        """Whether an instance could listen there, and no start in another home is about to."""
        return self._is_free(port) and reserve_port(port, self._owner)

    def known(self, key: str) -> tuple[Port, ...]:
        """The ports of an instance that was there before; none for a first one."""
        return self._ports.get(key, ())

    def keep(self, keys: set[str]) -> None:
        """Remember those of the named instances and forget the others.

        Raises:
            PrismError: they cannot be written down.
        """
        self._ports = {key: ports for key, ports in self._ports.items() if key in keys}
        if not self._ports and not self._file.exists():
            return
        text = json.dumps(
            {key: [asdict(port) for port in ports] for key, ports in self._ports.items()}
        )
        write_atomically(self._file, text)
