"""How the two agents of a stack are reached: addresses, secrets, and a client for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from prismctl.engine.nomad.client import ConsulClient, NomadClient

if TYPE_CHECKING:
    from prismctl.engine.nomad.credentials import Credentials
    from prismctl.engine.nomad.ports import AgentPorts


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Everything that is needed to ask both agents."""

    ports: AgentPorts
    credentials: Credentials
    consul: ConsulClient
    nomad: NomadClient

    @classmethod
    def make(cls, ports: AgentPorts, credentials: Credentials) -> Self:
        """One to agents that listen there and know these secrets; nothing is asked yet."""
        return cls(
            ports=ports,
            credentials=credentials,
            consul=ConsulClient(ports.consul_address, credentials.consul_management),
            nomad=NomadClient(ports.nomad_address, credentials.nomad_management),
        )

    async def close(self) -> None:
        """Let go of both agents."""
        await self.nomad.close()
        await self.consul.close()
