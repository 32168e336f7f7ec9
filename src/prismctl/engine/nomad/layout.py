"""Where the agents' files are, below the stack's own paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.engine.nomad.certificates import CertificateFiles

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import StackPaths


@dataclass(frozen=True, slots=True)
class AgentLayout:
    """Everything that belongs to the agents of one stack; all of it is ours to wipe."""

    paths: StackPaths

    @property
    def directory(self) -> Path:
        """The agents' own."""
        return self.paths.agents

    @property
    def ports(self) -> Path:
        """Which ports the agents listen on."""
        return self.directory / "ports.json"

    @property
    def credentials(self) -> Path:
        """The agents' secrets (0600)."""
        return self.directory / "credentials.json"

    @property
    def certificate(self) -> CertificateFiles:
        """What Nomad and Consul show to other servers, and Nomad to its own clients."""
        return CertificateFiles(self.directory / "tls")

    @property
    def plugin_sockets(self) -> Path:
        """Where Nomad's helpers listen."""
        return self.paths.plugin_sockets

    @property
    def registration(self) -> Path:
        """How often services had to be registered anew because Consul lost them."""
        return self.directory / "registration.json"

    @property
    def asked_restarts(self) -> Path:
        """Which restarts somebody asked for: Nomad counts them like those after a crash."""
        return self.directory / "asked-restarts.json"

    @property
    def consul_configuration(self) -> Path:
        """What Consul is started with (0600)."""
        return self.directory / "consul.json"

    @property
    def nomad_configuration(self) -> Path:
        """What Nomad is started with (0600)."""
        return self.directory / "nomad.json"

    @property
    def nomad(self) -> Path:
        """What Nomad writes to: its data, and beside it the mounts of its tasks."""
        return self.directory / "nomad"

    @property
    def nomad_data(self) -> Path:
        """Nomad's data directory."""
        return self.nomad / "data"

    @property
    def allocations(self) -> Path:
        """A directory for each allocation, named by its id."""
        return self.nomad_data / "alloc"

    @property
    def log_positions(self) -> Path:
        """How far each service's output has been copied."""
        return self.directory / "log-positions"

    @property
    def nomad_log(self) -> Path:
        """What Nomad has to say."""
        return self.paths.log("nomad")

    @property
    def consul_log(self) -> Path:
        """What Consul has to say."""
        return self.paths.log("consul")

    def task_logs(self, allocation: str) -> Path:
        """Where Nomad keeps what the tasks of an allocation print."""
        return self.allocations / allocation / "alloc" / "logs"
