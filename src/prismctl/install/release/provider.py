"""The provider that fetches what the vendor released: signed, checked against its checksum, unpacked and tried."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prismctl.errors import UnavailableError
from prismctl.install.provider import Offer, Progress, Provided, ProviderName
from prismctl.install.release.address import find_base_url, show_url
from prismctl.install.release.archive import discard, unpack
from prismctl.install.release.connection import connect
from prismctl.install.release.download import download
from prismctl.install.release.index import (
    name_files,
    parse_targets,
    require_build,
)
from prismctl.install.release.part import open_part
from prismctl.install.release.patience import Patience
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.signature import read_fingerprint, read_vendor_key
from prismctl.install.release.vouching import find_voucher, require_version
from prismctl.install.target import find_target
from prismctl.install.tools import ToolName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.release.connection import Connection
    from prismctl.install.release.index import ReleaseFiles
    from prismctl.install.release.vouching import Voucher
    from prismctl.install.target import Target
    from prismctl.install.tools import Tool
    from prismctl.install.versions import Version

_PRODUCTS: Final = frozenset({ToolName.NOMAD, ToolName.CONSUL})
_SYSTEMS: Final = frozenset({"linux", "darwin"})
_PROCESSORS: Final = frozenset({"amd64", "arm64"})


class ReleaseProvider:
    """Gets Nomad and Consul from the vendor's release server, or from a mirror of it."""

    def __init__(
        self,
        *,
        base_url: str = "",
        key: str = "",
        has_pins: bool = True,
        target: Target | None = None,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember whom to ask and whom to believe.

        Args:
            base_url: of a mirror; empty for the vendor's own server.
            key: public key of whoever signs; empty for the vendor's.
            has_pins: whether archives have to be those that prismctl knows; not where somebody builds their own.
            target: the machine that is installed for; this one unless another is named.
            patience: how long, and how often, something is waited for.
            clock: that keys must not have expired by.
        """
        self._base_url = find_base_url(base_url)
        self._has_pins = has_pins
        self._key = key or read_vendor_key()
        self._target = target or find_target()
        self._patience = patience or Patience()
        self._clock = clock

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return ProviderName.RELEASE

    async def offer(self, tool: Tool, version: Version) -> Offer:
        """What would be fetched, and how much of it.

        Raises:
            UnavailableError: it is not released for this machine, or the server does not answer.
            PrismError: something answers that is not the server, or there is no key to believe it by.
        """
        what = f"{tool.title} {version}"
        if tool.name not in _PRODUCTS:
            raise UnavailableError(f"{tool.title} is not on {show_url(self._base_url)}")
        if self._target.system not in _SYSTEMS or self._target.processor not in _PROCESSORS:
            raise UnavailableError(f"{what} is not released for {self._target}")
        files = name_files(self._base_url, tool.name, version, self._target)
        async with connect(self._patience) as connection:
            index = await connection.fetch(files.index, expected="JSON")
            targets = parse_targets(index, shown=show_url(files.index))
            require_build(targets, self._target, what=what)
            size = await connection.measure(files.archive)
        return Offer(
            tool=tool.name,
            version=version,
            provider=self.name,
            source=show_url(files.archive),
            licence=tool.licence,
            size_bytes=size,
            checksum=tool.checksums.get(self._target, "")
            if self._has_pins and version == tool.version
            else "",
            signing_key=read_fingerprint(self._key, shown=show_url(files.checksums)),
        )

    async def provide(
        self, offer: Offer, workspace: Path, report: Callable[[Progress], None]
    ) -> Provided:
        """Fetch, verify, unpack and try the program; interrupted, what was fetched stays for the next time.

        Raises:
            UnavailableError: the server stopped answering.
            PrismError: what came must not be trusted, does not run here, or cannot be written.
        """
        files = name_files(self._base_url, offer.tool, offer.version, self._target)
        program = workspace / f"{offer.tool}-{offer.version}.unpacked"
        async with connect(self._patience) as connection:
            voucher = await self._find_voucher(connection, files, offer)
            with open_part(workspace / f"{files.archive_name}.part") as part:
                try:
                    fetched = await download(
                        connection, files.archive, part, report, offered=offer.size_bytes
                    )
                    voucher.require(fetched, shown=offer.source)
                    sha256 = await unpack(
                        part.descriptor, offer.tool.value, program, shown=files.archive_name
                    )
                    await require_version(program, offer)
                except RefusedReleaseError:
                    part.delete()
                    discard(program)
                    raise
                except BaseException:
                    discard(program)
                    raise
                part.delete()
        return Provided(path=program, sha256=sha256, verified=voucher.words)

    async def _find_voucher(
        self, connection: Connection, files: ReleaseFiles, offer: Offer
    ) -> Voucher:
        document = await connection.fetch(files.checksums, expected="a list of checksums")
        signature = await connection.fetch(files.signature, expected="a signature")
        return find_voucher(
            document,
            signature,
            archive_name=files.archive_name,
            pinned=offer.checksum,
            key=self._key,
            shown=show_url(files.checksums),
            clock=self._clock,
        )
