"""What a release consists of: the names of its files, the list of its builds, the list of its checksums."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import UnavailableError
from prismctl.install.release.refusal import RefusedReleaseError
from prismctl.install.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.install.tools import ToolName
    from prismctl.install.versions import Version

_TARGET: Final = re.compile(r"[a-z0-9]{1,16}_[a-z0-9]{1,16}")
_CHECKSUM: Final = re.compile(r"([0-9a-fA-F]{64}) [ *]?(\S+)")

_SHOWN_TARGETS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFiles:
    """The addresses of one release; none is taken from what the server says."""

    index: str
    checksums: str
    signature: str
    archive: str

    @property
    def archive_name(self) -> str:
        """As the list of checksums has it."""
        return self.archive.rpartition("/")[2]


def name_files(base_url: str, product: ToolName, version: Version, target: Target) -> ReleaseFiles:
    """The addresses of the release of a product for a target."""
    start = f"{base_url}/{product}/{version}"
    checksums = f"{start}/{product}_{version}_SHA256SUMS"
    return ReleaseFiles(
        index=f"{start}/index.json",
        checksums=checksums,
        signature=f"{checksums}.sig",
        archive=f"{start}/{product}_{version}_{target}.zip",
    )


def parse_targets(document: bytes, *, shown: str) -> frozenset[Target]:
    """The targets that the index of a version lists builds for.

    Raises:
        RefusedReleaseError: it is no such index.
    """
    try:
        builds: list[Any] = json.loads(document)["builds"]
        targets = [Target(str(build["os"]), str(build["arch"])) for build in builds]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = "JSON" if isinstance(error, (ValueError, RecursionError)) else "a list of builds"
        raise RefusedReleaseError(f"{shown} answered with something that is not {what}") from error
    return frozenset(target for target in targets if _TARGET.fullmatch(str(target)))


def require_build(targets: frozenset[Target], target: Target, *, what: str) -> None:
    """Refuse a target that nothing was built for.

    Raises:
        UnavailableError: there is no build.
    """
    if target not in targets:
        listed = ", ".join(sorted(str(each) for each in targets)[:_SHOWN_TARGETS]) or "nothing"
        raise UnavailableError(f"{what} is not released for {target}, but for {listed}")


def parse_checksums(document: bytes, *, shown: str) -> Mapping[str, str]:
    """SHA-256 in lower-case hexadecimal, by file name.

    Raises:
        RefusedReleaseError: it is no such list.
    """
    found: dict[str, str] = {}
    for line in document.decode(errors="replace").splitlines():
        if not line.strip():
            continue
        parts = _CHECKSUM.fullmatch(line.strip())
        if parts is None:
            raise RefusedReleaseError(f"{shown} is not a list of checksums")
        if found.setdefault(parts[2], parts[1].lower()) != parts[1].lower():
            raise RefusedReleaseError(f"{shown} lists {parts[2]} with two checksums")
    return found
