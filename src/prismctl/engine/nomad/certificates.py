"""What the servers of Nomad and Consul show to others of their kind; Nomad's program makes it, once a stack."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError, UnavailableError
from prismctl.files.atomic import describe_way_out, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAKE_SECONDS: Final = 30.0
"""How long one program may take to make its part; a tenth of a second is usual."""
VALID_DAYS: Final = 3650
"""No stack lives longer than that."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the agents' certificate is; the directory holds nothing else, and only we can enter it."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The certificate of who signed; the key it was signed with is gone, nobody can make a second one."""
        return self.directory / "authority.pem"

    @property
    def certificate(self) -> Path:
        """What the agents show."""
        return self.directory / "certificate.pem"

    @property
    def key(self) -> Path:
        """The secret that belongs to the certificate (0600)."""
        return self.directory / "key.pem"

    @property
    def are_there(self) -> bool:
        """Whether all of them have been written."""
        return all(path.is_file() for path in (self.authority, self.certificate, self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateMaker:
    """How Nomad is told to make a certificate, and what it calls the files that it makes."""

    program: Path
    region: str
    consul_datacenter: str

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """First an authority, then a certificate signed by it, for both servers; no secret is in them."""
        days = f"-days={VALID_DAYS}"
        names = (
            f"-region={self.region}",
            f"-additional-dnsname=server.{self.consul_datacenter}.consul",
        )
        return (
            (str(self.program), "tls", "ca", "create", days),
            (str(self.program), "tls", "cert", "create", "-server", *names, days),
        )

    @property
    def made(self) -> tuple[str, str, str]:
        """The names of the authority's certificate, the servers' certificate and its key."""
        name = f"{self.region}-server-nomad"
        return "nomad-agent-ca.pem", f"{name}.pem", f"{name}-key.pem"


async def ensure_certificate(
    files: CertificateFiles, maker: CertificateMaker, environment: Mapping[str, str]
) -> None:
    """Make a certificate unless there is one; the authority's key exists only meanwhile.

    Raises:
        PrismError: it cannot be made or written.
    """
    if files.are_there:
        return
    workshop = files.directory / "making"
    try:
        # One that was cut short may still hold the authority's key.
        if files.directory.exists():
            shutil.rmtree(files.directory)
        files.directory.mkdir(mode=0o700)
        workshop.mkdir(mode=0o700)
        try:
            for command in maker.commands:
                await _run(command, workshop, environment)
            authority, certificate, key = ((workshop / name).read_bytes() for name in maker.made)
        finally:
            shutil.rmtree(workshop)
    except OSError as error:
        raise PrismError(
            f"cannot make {files.certificate}: {error.strerror}",
            hint=describe_way_out(error, files.directory),
        ) from error
    write_atomically(files.key, key)
    write_atomically(files.certificate, certificate)
    write_atomically(files.authority, authority)


async def _run(command: tuple[str, ...], directory: Path, environment: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MAKE_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise UnavailableError(
            f"`{' '.join(command)}` has not ended within {MAKE_SECONDS:g} s"
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        words = said.decode(errors="replace").strip().splitlines()
        raise UnavailableError(
            f"`{' '.join(command)}` failed: {words[-1] if words else 'it said nothing'}",
            hint="`prismctl dev version` shows which program that is",
        )
