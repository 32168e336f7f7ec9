"""A machine that packs, and ways to change what it has packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prismctl.files.paths import Home
from prismctl.install.bundle.gathering import ReleaseServer
from prismctl.install.bundle.packing import Order, bundle_steps
from prismctl.install.bundle.provider import BundleProvider
from prismctl.install.bundle.staging import staging
from prismctl.install.release.patience import Patience
from prismctl.install.steps import StepState, run_steps
from prismctl.install.tools import CONSUL, Tool
from tests.install.release_lab import ARCHIVE, SUMS, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.provider import Offer, Progress, Provided
    from prismctl.install.steps import StepStatus
    from tests.install.release_lab import ReleaseLab

CONSUL_PROGRAM = f"#!/bin/sh\necho Consul v{CONSUL.version}\n".encode()
BUILT = f"tools/consul-{CONSUL.version}"
RELEASED = f"tools/{ARCHIVE}"
LISTED = f"tools/{SUMS}"
SIGNED = f"tools/{SUMS}.sig"


@dataclass(slots=True, kw_only=True)
class Packer:
    """Has Consul as a program, and reaches a server with a release of Nomad."""

    lab: ReleaseLab
    directory: Path
    statuses: dict[str, StepStatus] = field(default_factory=dict)
    """How each step of the last packing ended."""

    @property
    def home(self) -> Home:
        return Home(self.directory / "home")

    @property
    def file(self) -> Path:
        return self.directory / "out" / "tools.tar"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.directory / 'bin'}:/usr/bin:/bin",
            "PRISM_TOOLS_DIR": str(self.directory / "none"),
            "HOME": str(self.directory),
        }

    def have_program(self, name: str, content: bytes) -> None:
        """Put a program on PATH."""
        directory = self.directory / "bin"
        directory.mkdir(exist_ok=True)
        path = directory / name
        path.write_bytes(content)
        path.chmod(0o755)

    def order(self, **changed: Any) -> Order:
        async def sleep(_: float) -> None:
            """Nobody waits here."""

        self.file.parent.mkdir(exist_ok=True)
        server = ReleaseServer(
            base_url=self.lab.url,
            key=self.lab.signer.public,
            target=TARGET,
            patience=Patience(read_seconds=20, connect_seconds=20, sleep=sleep),
        )
        arguments: dict[str, Any] = {
            "file": self.file,
            "home": self.home,
            "environment": self.environment,
            "server": server,
            "tools": (CONSUL, self.lab.tool),
            "has_wheels": False,
        }
        return Order(**{**arguments, **changed})

    async def pack(
        self, tell: Callable[[StepStatus], None] = lambda _: None, **changed: Any
    ) -> Path:
        """Write the bundle, or let `statuses` say why not."""
        order = self.order(**changed)
        with staging(order.home) as gathered:
            ended = await run_steps(bundle_steps(order, gathered), tell)
        self.statuses = {status.name: status for status in ended}
        return order.file

    async def pack_well(self, **changed: Any) -> Path:
        file = await self.pack(**changed)
        assert {status.state for status in self.statuses.values()} == {StepState.DONE}
        return file

    def provider(self, source: Path, **changed: Any) -> BundleProvider:
        arguments: dict[str, Any] = {"key": self.lab.signer.public, "target": TARGET}
        return BundleProvider(source, **{**arguments, **changed})

    async def offer(self, source: Path, tool: Tool | None = None, **changed: Any) -> Offer:
        wanted = tool or self.lab.tool
        return await self.provider(source, **changed).offer(wanted, wanted.version)

    async def get(
        self,
        source: Path,
        tool: Tool | None = None,
        report: Callable[[Progress], None] = lambda _: None,
        **changed: Any,
    ) -> Provided:
        """Have a tool offered and provided, as on another machine."""
        provider = self.provider(source, **changed)
        wanted = tool or self.lab.tool
        offer = await provider.offer(wanted, wanted.version)
        return await provider.provide(offer, self.lab.workspace, report)


@dataclass(slots=True)
class Contents:
    """The members of a bundle, to be changed and written again."""

    members: list[tuple[tarfile.TarInfo, bytes]]

    @classmethod
    def read(cls, file: Path) -> Contents:
        with tarfile.open(file, "r:") as tar:
            members = []
            for member in tar.getmembers():
                section = tar.extractfile(member)
                assert section is not None
                members.append((member, section.read()))
        return cls(members)

    @property
    def names(self) -> list[str]:
        return [member.name for member, _ in self.members]

    def data(self, name: str) -> bytes:
        return self.members[self.names.index(name)][1]

    @property
    def index(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.data("bundle.json"))
        return document

    def replace(self, name: str, data: bytes) -> None:
        """Change a member, and leave what is written about it."""
        position = self.names.index(name)
        member = self.members[position][0]
        member.size = len(data)
        self.members[position] = (member, data)

    def forge(self, name: str, data: bytes) -> None:
        """Change a member, and what is written about it too."""
        self.replace(name, data)
        document = self.index
        for file in document["files"]:
            if file["path"] == name:
                file["sha256"] = hashlib.sha256(data).hexdigest()
                file["size"] = len(data)
        self.replace("bundle.json", json.dumps(document).encode())

    def edit_index(self, **changed: Any) -> None:
        self.replace("bundle.json", json.dumps({**self.index, **changed}).encode())

    def add(self, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.size = len(data)
        self.members.append((member, data))

    def remove(self, name: str) -> None:
        del self.members[self.names.index(name)]

    def write(self, file: Path, *, is_compressed: bool = False) -> Path:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.USTAR_FORMAT) as tar:
            for member, data in self.members:
                tar.addfile(member, io.BytesIO(data))
        raw = buffer.getvalue()
        file.write_bytes(gzip.compress(raw) if is_compressed else raw)
        return file

    def unpack(self, directory: Path) -> Path:
        for member, data in self.members:
            path = directory / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return directory
