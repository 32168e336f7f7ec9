"""A bundle that is open: what it holds, each file checked against what was written down when it was packed."""

from __future__ import annotations

import hashlib
import io
import re
from typing import IO, TYPE_CHECKING, Final

from prismctl.errors import UnavailableError
from prismctl.install.bundle.damage import DamagedBundleError
from prismctl.install.bundle.index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    BundledFile,
    BundledTool,
    Index,
    ToolKind,
    parse_index,
)
from prismctl.install.bundle.source import DirectorySource, open_source
from prismctl.install.release.writing import writing
from prismctl.install.tools import TOOLS
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from prismctl.install.bundle.source import Source
    from prismctl.install.target import Target
    from prismctl.install.threads import Course
    from prismctl.install.tools import Tool

MAX_SMALL_BYTES: Final = 1 << 20
"""Lists of checksums, signatures, catalogs."""
MAX_LARGE_BYTES: Final = 1 << 30
"""Archives and programs."""
_CHUNK_BYTES: Final = 1 << 20
_ARCHIVE: Final = re.compile(
    r"([a-z]+)_(\d{1,6})\.(\d{1,6})\.(\d{1,6})_([a-z]+_[a-z0-9]+)\.zip", re.ASCII
)


class Bundle:
    """What a tar or a directory holds."""

    def __init__(self, source: Source, index: Index) -> None:
        self._source = source
        self.index = index
        """What it says about itself."""

    @property
    def shown(self) -> str:
        """As it is called in messages."""
        return self._source.shown

    def name_of(self, file: str) -> str:
        """A file of it, as it is called in messages."""
        return f"{file} in {self.shown}"

    def has(self, file: str) -> bool:
        """Whether a file is in it."""
        return file in self.index.files

    def read(self, file: str, course: Course) -> bytes:
        """All of a small file.

        Raises:
            PrismError: it is not in there, is not what was packed, or cannot be read.
        """
        buffer = io.BytesIO()
        self.copy(file, buffer, course, max_bytes=MAX_SMALL_BYTES)
        return buffer.getvalue()

    def copy(
        self,
        file: str,
        target: IO[bytes],
        course: Course,
        *,
        max_bytes: int = MAX_LARGE_BYTES,
        path: Path | None = None,
    ) -> str:
        """Copy a file; its SHA-256 in hexadecimal.

        Args:
            file: its name in the bundle.
            target: is written to; what was written counts only when nothing was raised.
            course: of the work.
            max_bytes: what is longer is refused.
            path: of the target, for messages.

        Raises:
            PrismError: it is not in there, is not what was packed, cannot be read, or not be written.
        """
        packed = self.index.files.get(file)
        if packed is None:
            raise DamagedBundleError(f"{file} is missing in {self.shown}")
        digest = hashlib.sha256()
        with self._source.open(file) as section:
            if section.size_bytes > max_bytes:
                raise DamagedBundleError(
                    f"{self.name_of(file)} has {section.size_bytes} bytes, and at most {max_bytes} are taken"
                )
            while chunk := section.read(_CHUNK_BYTES):
                course.advance(len(chunk))
                digest.update(chunk)
                _write(target, chunk, path)
        sha256 = digest.hexdigest()
        if packed.sha256 and sha256 != packed.sha256:
            raise DamagedBundleError(
                f"{self.name_of(file)} has the checksum {sha256}, and was packed with {packed.sha256}"
            )
        return sha256


def open_bundle(path: Path, target: Target) -> Bundle:
    """What is at a path: a bundle, one that was unpacked, or a directory with archives of releases.

    Raises:
        UnavailableError: it is for another kind of machine.
        DamagedBundleError: it is not what was packed, or never was a bundle.
        PrismError: a newer prismctl packed it, or it cannot be read.
    """
    source = open_source(path)
    sizes = source.list_sizes()
    if INDEX_NAME not in sizes:
        # Only a directory can be without: a tar begins with it.
        return Bundle(source, _index_by_hand(sizes, target))
    with source.open(INDEX_NAME) as section:
        data = section.read(min(section.size_bytes, MAX_INDEX_BYTES + 1))
    if len(data) > MAX_INDEX_BYTES:
        raise DamagedBundleError(f"{INDEX_NAME} in {source.shown} is damaged")
    index = parse_index(data, shown=source.shown)
    _compare(index, sizes, source)
    if index.target != str(target):
        raise UnavailableError(
            f"{source.shown} is for {index.target}, and this machine is {target}",
            hint=f"`prismctl dev init --make-bundle FILE` on a machine that is {target} writes one for it",
        )
    return Bundle(source, index)


def _compare(index: Index, sizes: Mapping[str, int], source: Source) -> None:
    """Refuse a bundle that holds anything else than what its list says."""
    for file in index.files.values():
        size = sizes.get(file.path)
        if size is None:
            raise DamagedBundleError(f"{file.path} is missing in {source.shown}")
        if size != file.size_bytes:
            raise DamagedBundleError(
                f"{file.path} in {source.shown} has {size} bytes, and was packed with {file.size_bytes}"
            )
    more = [name for name in sizes if name not in index.files and name != INDEX_NAME]
    # What else lies in somebody's directory is their business; nobody looks at it.
    if more and not isinstance(source, DirectorySource):
        raise DamagedBundleError(f"{source.shown} holds {more[0]!r}, which it does not list")


def _index_by_hand(sizes: Mapping[str, int], target: Target) -> Index:
    """What an index would say about archives that somebody put side by side; their signatures vouch for them."""
    files = {
        name: BundledFile(path=name, sha256="", size_bytes=size) for name, size in sizes.items()
    }
    tools = {}
    for name, tool in TOOLS.items():
        versions = [
            version for version, machine in _find_archives(sizes, tool) if machine == str(target)
        ]
        best = max(versions, key=lambda each: _rank(each, tool), default=None)
        if best is not None:
            archive = f"{name}_{best}_{target}.zip"
            tools[name.value] = BundledTool(version=best, kind=ToolKind.RELEASE, file=archive)
    return Index(written_by="", target=str(target), files=files, tools=tools)


def _rank(version: Version, tool: Tool) -> tuple[bool, bool, Version]:
    return version == tool.version, version in tool.supported, version


def _find_archives(names: Iterable[str], tool: Tool) -> list[tuple[Version, str]]:
    """Version and kind of machine of each archive of a tool."""
    found = []
    for name in names:
        parts = _ARCHIVE.fullmatch(name)
        if parts is not None and parts[1] == tool.name:
            found.append((Version(int(parts[2]), int(parts[3]), int(parts[4])), parts[5]))
    return found


def explain_absence(bundle: Bundle, tool: Tool, target: Target) -> UnavailableError:
    """The error for a tool that a bundle does not hold."""
    if bundle.index.written_by:
        return UnavailableError(
            f"{tool.title} is not in {bundle.shown}",
            hint="have it packed on a machine that has the tool",
        )
    others = sorted({machine for _, machine in _find_archives(bundle.index.files, tool)})
    only = f", only for {', '.join(others)}" if others else ""
    wanted = f"{tool.name}_{tool.version}"
    return UnavailableError(
        f"no archive of {tool.title} for {target} is in {bundle.shown}{only}",
        hint=f"put {wanted}_{target}.zip, {wanted}_SHA256SUMS and {wanted}_SHA256SUMS.sig there",
    )


def _write(target: IO[bytes], data: bytes, path: Path | None) -> None:
    if path is None:
        target.write(data)
        return
    with writing(path):
        view = memoryview(data)
        while view:
            view = view[target.write(view) :]


def require_substitute(bundle: Bundle, tool: Tool, version: Version, *, wanted: Version) -> None:
    """Refuse another version than the wanted one, unless both work with this prismctl.

    Raises:
        UnavailableError: they do not.
    """
    if version == wanted or (version in tool.supported and wanted in tool.supported):
        return
    reason = f"{tool.supported} is supported" if version not in tool.supported else f"not {wanted}"
    raise UnavailableError(
        f"{bundle.shown} has {tool.title} {version}, and {reason}",
        hint=f"have {tool.title} {tool.version} packed",
    )
