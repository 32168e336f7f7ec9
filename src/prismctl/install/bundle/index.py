"""What a bundle says about itself (``bundle.json``): for which machine it is, which files it holds, which tools they are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from prismctl import __version__
from prismctl.errors import PrismError
from prismctl.install.bundle.damage import DamagedBundleError
from prismctl.install.versions import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 1
INDEX_NAME: Final = "bundle.json"
CATALOG_NAME: Final = "catalog/services.yaml"
MAX_INDEX_BYTES: Final = 1 << 20
MAX_FILES: Final = 1000
_PATH: Final = re.compile(r"(tools|catalog|wheels|images)/[A-Za-z0-9][\w.+!-]*", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", re.ASCII)


class ToolKind(StrEnum):
    """What a bundle holds of a tool."""

    RELEASE = "release"
    """The vendor's archive, with the list of checksums and its signature."""
    BUILT = "built"
    """A program that somebody has built; nobody signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """One file of a bundle."""

    path: str
    """Its name in the bundle, with slashes."""
    sha256: str
    """In hexadecimal; empty where nobody wrote it down."""
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledTool:
    """One tool of a bundle."""

    version: Version
    kind: ToolKind
    file: str
    """The archive, or the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All that a bundle says about itself."""

    written_by: str
    """Version of prismctl that packed it; empty where somebody put files together by hand."""
    target: str
    """The kind of machine its tools run on, as in ``linux_amd64``; empty: their names tell."""
    python: str = ""
    """The Python its wheels are for, as in ``3.11``; empty: it has none."""
    files: Mapping[str, BundledFile] = field(default_factory=dict)
    """By path."""
    tools: Mapping[str, BundledTool] = field(default_factory=dict)
    """By name of the program."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Path of each container image, by its name."""


def render_index(index: Index) -> bytes:
    """The text of ``bundle.json``."""
    document = {
        "schema": SCHEMA,
        "written_by": index.written_by,
        "target": index.target,
        "python": index.python,
        "files": [
            {"path": file.path, "sha256": file.sha256, "size": file.size_bytes}
            for file in index.files.values()
        ],
        "tools": {
            name: {"version": str(tool.version), "kind": tool.kind, "file": tool.file}
            for name, tool in index.tools.items()
        },
        "images": dict(index.images),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def parse_index(data: bytes, *, shown: str) -> Index:
    """What the text of ``bundle.json`` says; every path in it is one that a bundle may have.

    Raises:
        DamagedBundleError: it is no such text.
        PrismError: a newer prismctl wrote it.
    """
    try:
        document: dict[str, Any] = json.loads(data)
        schema, written_by = int(document["schema"]), _text(document["written_by"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_understood(shown) from error
    if schema > SCHEMA:
        raise PrismError(
            f"{shown} was packed by prismctl {written_by}; this is {__version__}",
            hint="upgrade prismctl, or have it packed by this version",
        )
    try:
        files = [_parse_file(each) for each in document["files"]]
        index = Index(
            written_by=written_by,
            target=_text(document["target"]),
            python=_text(document["python"]),
            files={file.path: file for file in files},
            tools={_text(name): _parse_tool(each) for name, each in document["tools"].items()},
            images={_text(name): _text(path) for name, path in document["images"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_understood(shown) from error
    named = [*(tool.file for tool in index.tools.values()), *index.images.values()]
    if len(index.files) != len(files) or not index.files.keys() >= set(named):
        raise _not_understood(shown)
    return index


def _parse_file(value: Any) -> BundledFile:
    path, sha256, size = _text(value["path"]), _text(value["sha256"]), value["size"]
    if not _PATH.fullmatch(path) or not _SHA256.fullmatch(sha256):
        raise ValueError(path)
    if type(size) is not int or size < 0:
        raise ValueError(size)
    return BundledFile(path=path, sha256=sha256, size_bytes=size)


def _parse_tool(value: Any) -> BundledTool:
    numbers = _VERSION.fullmatch(_text(value["version"]))
    if numbers is None:
        raise ValueError(value["version"])
    version = Version(*(int(number) for number in numbers.groups()))
    return BundledTool(version=version, kind=ToolKind(value["kind"]), file=_text(value["file"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(value)
    return value


def _not_understood(shown: str) -> DamagedBundleError:
    return DamagedBundleError(f"{INDEX_NAME} in {shown} is damaged")
