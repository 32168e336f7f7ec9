"""The provider that installs what was packed on another machine, or put together by hand; asks no network."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.install.bundle.index import ToolKind
from prismctl.install.bundle.opened import (
    explain_absence,
    open_bundle,
    require_substitute,
)
from prismctl.install.provider import Offer, Progress, Provided, ProviderName
from prismctl.install.release.archive import discard, unpack
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.signature import read_fingerprint, read_vendor_key
from prismctl.install.release.vouching import find_voucher, require_version
from prismctl.install.release.writing import writing
from prismctl.install.target import find_target
from prismctl.install.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prismctl.install.bundle.index import BundledTool
    from prismctl.install.bundle.opened import Bundle
    from prismctl.install.release.vouching import Voucher
    from prismctl.install.target import Target
    from prismctl.install.threads import Course
    from prismctl.install.tools import Tool
    from prismctl.install.versions import Version

UNSIGNED: Final = "packed on another machine; only the bundle's own checksum vouches for it"
"""How a program that nobody signed was verified."""
_PACK_AGAIN: Final = "do not use it; have it packed again, by somebody you trust"


class BundleProvider:
    """Gets Nomad and Consul out of a bundle, or out of a directory with archives of releases."""

    def __init__(
        self,
        source: Path,
        *,
        key: str = "",
        has_pins: bool = True,
        target: Target | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Remember where to install from.

        Args:
            source: a bundle, or a directory.
            key: whose signature counts; empty: the vendor's.
            has_pins: whether releases have to be those whose checksums prismctl knows.
            target: of this machine.
            clock: that keys must not have expired by.
        """
        self._source = source
        self._key = key or read_vendor_key()
        self._has_pins = has_pins
        self._target = target or find_target()
        self._clock = clock

    @property
    def name(self) -> ProviderName:
        """As it is typed."""
        return ProviderName.BUNDLE

    async def offer(self, tool: Tool, version: Version) -> Offer:
        """What the bundle has; another version than the wanted one where that is supported.

        Raises:
            UnavailableError: it does not have the tool, another version, or is for another kind of machine.
            PrismError: it is damaged, or cannot be read.
        """
        bundle = await self._open()
        packed = bundle.index.tools.get(tool.name)
        if packed is None:
            raise explain_absence(bundle, tool, self._target)
        require_substitute(bundle, tool, packed.version, wanted=version)
        file = bundle.index.files[packed.file]
        # Remembered, and read from other directories than this one.
        source = f"{packed.file} in {self._source.absolute()}"
        if packed.kind is ToolKind.BUILT:
            source, checksum = f"{source} (signed by nobody)", file.sha256
            signing_key = ""
        else:
            _require_complete(bundle, packed, tool)
            checksum = self._pinned(tool, packed.version)
            checksums, _ = _name_proofs(packed)
            signing_key = read_fingerprint(self._key, shown=bundle.name_of(checksums))
        return Offer(
            tool=tool.name,
            version=packed.version,
            provider=self.name,
            source=source,
            licence=tool.licence,
            size_bytes=file.size_bytes,
            checksum=checksum,
            signing_key=signing_key,
        )

    async def provide(
        self, offer: Offer, workspace: Path, report: Callable[[Progress], None]
    ) -> Provided:
        """Copy, verify, unpack and try the program; the bundle stays as it is.

        Raises:
            PrismError: it is damaged or must not be trusted, does not run here, or cannot be written.
        """
        bundle = await self._open()
        packed = bundle.index.tools.get(offer.tool)
        if packed is None or packed.version != offer.version:
            raise PrismError(f"{bundle.shown} has changed since it was looked at", hint="try again")
        program = workspace / f"{offer.tool}-{offer.version}.unpacked"
        get = self._unpack_release if packed.kind is ToolKind.RELEASE else self._take_program
        try:
            provided = await get(bundle, packed, offer, program, report)
            await require_version(program, offer)
        except RefusedReleaseError as error:
            discard(program)
            raise PrismError(error.message, hint=_PACK_AGAIN) from error
        except BaseException:
            discard(program)
            raise
        return provided

    async def _unpack_release(
        self,
        bundle: Bundle,
        packed: BundledTool,
        offer: Offer,
        program: Path,
        report: Callable[[Progress], None],
    ) -> Provided:
        voucher = await run_in_thread(
            lambda course: self._find_voucher(bundle, packed, offer, course)
        )
        with contextlib.ExitStack() as stack:
            with writing(program):
                archive = stack.enter_context(
                    tempfile.TemporaryFile(dir=program.parent, buffering=0)
                )
            # Copied before it is looked into: nobody can change it in between.
            size = bundle.index.files[packed.file].size_bytes
            found = await run_in_thread(
                lambda course: bundle.copy(packed.file, archive, course, path=program),
                report=report,
                total=size,
            )
            voucher.require(found, shown=offer.source)
            sha256 = await unpack(
                archive.fileno(), offer.tool, program, shown=bundle.name_of(packed.file)
            )
        return Provided(path=program, sha256=sha256, verified=voucher.words)

    async def _take_program(
        self,
        bundle: Bundle,
        packed: BundledTool,
        offer: Offer,  # noqa: ARG002 - the other way to get a tool needs it
        program: Path,
        report: Callable[[Progress], None],
    ) -> Provided:
        def work(course: Course) -> str:
            with _create_program(program) as target:
                sha256 = bundle.copy(packed.file, target, course, path=program)
                with writing(program):
                    # It is renamed into use next, and must not turn out empty after a power failure.
                    os.fsync(target.fileno())
            return sha256

        size = bundle.index.files[packed.file].size_bytes
        sha256 = await run_in_thread(work, report=report, total=size)
        return Provided(path=program, sha256=sha256, verified=UNSIGNED)

    def _find_voucher(
        self, bundle: Bundle, packed: BundledTool, offer: Offer, course: Course
    ) -> Voucher:
        checksums, signature = _name_proofs(packed)
        return find_voucher(
            bundle.read(checksums, course),
            bundle.read(signature, course),
            archive_name=packed.file.rpartition("/")[2],
            pinned=offer.checksum,
            key=self._key,
            shown=bundle.name_of(checksums),
            clock=self._clock,
        )

    def _pinned(self, tool: Tool, version: Version) -> str:
        if not self._has_pins or version != tool.version:
            return ""
        return tool.checksums.get(self._target, "")

    async def _open(self) -> Bundle:
        return await run_in_thread(lambda _: open_bundle(self._source, self._target))


def _name_proofs(packed: BundledTool) -> tuple[str, str]:
    """The list of checksums and its signature that belong to an archive."""
    start, slash, archive = packed.file.rpartition("/")
    checksums = f"{start}{slash}{archive.split('_')[0]}_{packed.version}_SHA256SUMS"
    return checksums, f"{checksums}.sig"


def _require_complete(bundle: Bundle, packed: BundledTool, tool: Tool) -> None:
    for file in _name_proofs(packed):
        if not bundle.has(file):
            raise PrismError(
                f"{packed.file} is in {bundle.shown} without {file}: {tool.title} cannot be verified",
                hint=f"put {file} beside it: the vendor has it beside the archive",
            )


def _create_program(path: Path) -> IO[bytes]:
    with writing(path):
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.fdopen(os.open(path, flags, 0o700), "wb", buffering=0)
