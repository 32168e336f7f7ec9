"""Gathers a tool for a bundle: the vendor's archive where it can be had, else the program that is here."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prismctl.errors import MissingToolError, UnavailableError
from prismctl.install.bundle.index import BundledTool, ToolKind
from prismctl.install.existing import look_for
from prismctl.install.release.address import find_base_url, show_url
from prismctl.install.release.connection import connect
from prismctl.install.release.download import download
from prismctl.install.release.index import name_files
from prismctl.install.release.part import open_part
from prismctl.install.release.patience import Patience
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.release.signature import read_vendor_key
from prismctl.install.release.vouching import find_voucher
from prismctl.install.release.writing import writing
from prismctl.install.steps import Outcome
from prismctl.install.target import Target, find_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.bundle.staging import Staging
    from prismctl.install.provider import Progress
    from prismctl.install.tools import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseServer:
    """Where releases are fetched from, and whose signature counts."""

    base_url: str = ""
    """Of a mirror; empty for the vendor's own."""
    key: str = field(default_factory=read_vendor_key)
    has_pins: bool = True
    """Whether releases have to be those whose checksums prismctl knows."""
    target: Target = field(default_factory=find_target)
    patience: Patience = field(default_factory=Patience)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


async def gather_tool(
    tool: Tool,
    staging: Staging,
    home: Home,
    report: Callable[[Progress | str], None],
    *,
    environment: Mapping[str, str],
    server: ReleaseServer | None,
    accepts_unsigned: bool = True,
) -> Outcome:
    """Have a tool ready to be packed.

    Args:
        tool: that is wanted.
        staging: what has been gathered so far; the tool is added.
        home: whose downloads are gone on with, and whose programs are looked at.
        report: is told how far it is.
        environment: says where else programs are.
        server: of releases; ``None``: nothing may be fetched, or is wanted from there.
        accepts_unsigned: whether the program that is here will do where the release cannot be had.

    Raises:
        PrismError: what was fetched must not be trusted, or the tool is neither to be had nor here.
    """
    refusal = ""
    if server is not None:
        try:
            return await _gather_release(tool, staging, home.downloads, server, report)
        except UnavailableError as error:
            if not accepts_unsigned:
                raise
            refusal = error.message
    return await _gather_program(tool, staging, home.tools, environment, refusal)


async def _gather_release(
    tool: Tool,
    staging: Staging,
    downloads: Path,
    server: ReleaseServer,
    report: Callable[[Progress | str], None],
) -> Outcome:
    if server.target not in tool.checksums:
        raise UnavailableError(f"nothing is released for {server.target}")
    files = name_files(find_base_url(server.base_url), tool.name, tool.version, server.target)
    async with connect(server.patience) as connection:
        document = await connection.fetch(files.checksums, expected="a list of checksums")
        signature = await connection.fetch(files.signature, expected="a signature")
        voucher = find_voucher(
            document,
            signature,
            archive_name=files.archive_name,
            pinned=tool.checksums[server.target] if server.has_pins else "",
            key=server.key,
            shown=show_url(files.checksums),
            clock=server.clock,
        )
        archive = staging.directory / files.archive_name
        with open_part(downloads / f"{files.archive_name}.part") as part:
            fetched = await download(connection, files.archive, part, report)
            try:
                voucher.require(fetched, shown=show_url(files.archive))
            except RefusedReleaseError:
                part.delete()
                raise
            # The part stays until the bundle is written: an interrupted packing need not fetch it again.
            _link(part.path, archive)
            staging.spent += [part.path, part.path.with_name(f"{part.path.name}.json")]
    checksums = staging.directory / files.checksums.rpartition("/")[2]
    for path, data in (
        (checksums, document),
        (checksums.with_name(f"{checksums.name}.sig"), signature),
    ):
        with writing(path):
            path.write_bytes(data)
        staging.paths[f"tools/{path.name}"] = path
    staging.paths[f"tools/{archive.name}"] = archive
    staging.tools[tool.name] = BundledTool(
        version=tool.version, kind=ToolKind.RELEASE, file=f"tools/{archive.name}"
    )
    return Outcome(detail=f"{tool.version} from {show_url(files.archive)}, {voucher.words}")


async def _gather_program(
    tool: Tool,
    staging: Staging,
    home_tools: Path,
    environment: Mapping[str, str],
    refusal: str,
) -> Outcome:
    reason = f"its release cannot be had ({refusal}) and " if refusal else ""
    existing = await look_for(tool, home_tools, environment)
    if existing is None or existing.version is None or not existing.is_usable:
        here = existing.problem if existing else "no program of it is here"
        raise MissingToolError(
            f"{tool.title} cannot be packed: {reason}{here}",
            hint="`prismctl dev init` installs or builds it",
        )
    name = f"tools/{tool.name}-{existing.version}"
    staging.paths[name] = existing.path.resolve()
    staging.tools[tool.name] = BundledTool(version=existing.version, kind=ToolKind.BUILT, file=name)
    because = f"; {reason.removesuffix(' and ')}" if reason else ""
    return Outcome(
        detail=f"{existing.version} as it is here, {existing.path}, signed by nobody{because}"
    )


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; a copy where the file system has no second names."""
    with contextlib.suppress(OSError):
        target.hardlink_to(source)
        return
    with writing(target):
        shutil.copyfile(source, target)
