"""Who vouches for an archive of a release: the signed list of checksums, and the checksum that prismctl knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prismctl.install.asking_versions import ask_version
from prismctl.install.release.index import parse_checksums
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.signature import verify_signature
from prismctl.install.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from prismctl.install.provider import Offer

_VERSION_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """What an archive has to be, and who says so."""

    sha256: str
    """Of the archive, in hexadecimal."""
    signer: str
    """Fingerprint of the key."""
    is_pinned: bool
    """Whether prismctl knew the checksum beforehand."""

    @property
    def words(self) -> str:
        """How an archive with this checksum was verified."""
        how = "checksum pinned" if self.is_pinned else "checksum signed"
        return f"signed by {self.signer}, {how}"

    def require(self, sha256: str, *, shown: str) -> None:
        """Refuse an archive that is another.

        Raises:
            RefusedReleaseError: its checksum is not the one that was listed.
        """
        if sha256 != self.sha256:
            raise RefusedReleaseError(
                f"{shown} has the checksum {sha256}, and should have {self.sha256}",
                hint="try again; if it stays so, try another network or another mirror",
            )


def find_voucher(
    document: bytes,
    signature: bytes,
    *,
    archive_name: str,
    pinned: str,
    key: str,
    shown: str,
    clock: Callable[[], datetime],
) -> Voucher:
    """What a signed list of checksums says about an archive.

    Args:
        document: the list.
        signature: of the list, detached.
        archive_name: as the list has it.
        pinned: the checksum that prismctl knows; empty: none.
        key: of the vendor.
        shown: what the list is called in messages.
        clock: that the key must not have expired by.

    Raises:
        RefusedReleaseError: it is not signed by the vendor, or says something else than what is known.
        PrismError: the key must not be used any more, or the clock is wrong.
    """
    signer = verify_signature(document, signature, key=key, shown=shown, clock=clock)
    listed = parse_checksums(document, shown=shown).get(archive_name)
    if listed is None:
        raise RefusedReleaseError(f"{shown} does not list {archive_name}")
    if pinned and listed != pinned:
        raise RefusedReleaseError(
            f"{shown} gives {archive_name} the checksum {listed}, and prismctl knows it with {pinned}",
            hint="do not use this mirror",
        )
    return Voucher(sha256=listed, signer=signer, is_pinned=bool(pinned))


async def require_version(program: Path, offer: Offer) -> None:
    """Run the program once.

    Raises:
        RefusedReleaseError: it is another version.
        PrismError: it does not run here.
    """
    arguments = TOOLS[offer.tool].version_arguments
    version = await ask_version(program, arguments, timeout_seconds=_VERSION_SECONDS)
    if version != offer.version:
        raise RefusedReleaseError(
            f"{offer.source} holds version {version} instead of {offer.version}"
        )
