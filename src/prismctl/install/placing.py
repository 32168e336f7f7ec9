"""Puts a verified program into home's ``bin``: beside the other versions, in use by one rename of a link."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out
from prismctl.install.manifest import (
    InstalledTool,
    Manifest,
    change_manifest,
    read_manifest,
    rolled_back,
    with_created,
    with_tool,
)

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.provider import Offer, Provided

_MODE: Final = 0o755


def place(home: Home, offer: Offer, provided: Provided) -> InstalledTool:
    """Take a program from the workspace into use; at every moment the name means the old one or the new one.

    Raises:
        PrismError: home cannot be written.
    """
    tool = InstalledTool(
        file=f"{offer.tool}-{offer.version}",
        version=str(offer.version),
        provider=offer.provider,
        source=offer.source,
        sha256=provided.sha256,
        verified=provided.verified,
    )
    target = home.tools / tool.file
    try:
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.tools.mkdir(mode=0o700, exist_ok=True)
        provided.path.chmod(_MODE)
        _save(provided.path)
        provided.path.replace(target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    # Written down before it can be found: whatever is on the path is accounted for.
    change_manifest(home, lambda manifest: _with_placed(manifest, offer.tool, tool, provided))
    _point(home.tools / offer.tool, tool.file)
    return tool


def _with_placed(
    manifest: Manifest, name: str, tool: InstalledTool, provided: Provided
) -> Manifest:
    manifest = with_tool(manifest, name, tool)
    for path in provided.created:
        manifest = with_created(manifest, path)
    return manifest


def roll_back(home: Home, name: str) -> str:
    """Use the version of a tool that was in use before; its file name.

    Raises:
        PrismError: there is none, its file is gone, or home cannot be written.
    """

    def change(manifest: Manifest) -> Manifest:
        changed = rolled_back(manifest, name)
        file = home.tools / changed.tools[name].current
        if not file.is_file():
            raise PrismError(
                f"{file} is gone", hint="`prismctl dev init` installs the current version"
            )
        return changed

    file = change_manifest(home, change).tools[name].current
    _point(home.tools / name, file)
    return file


def settle(home: Home) -> None:
    """Make the names in ``bin`` mean what the manifest says: an interruption may have come in between.

    Raises:
        PrismError: home cannot be written, or its manifest is damaged.
    """
    for name, history in read_manifest(home).tools.items():
        link = home.tools / name
        if (home.tools / history.current).is_file() and _target(link) != history.current:
            _point(link, history.current)


def _save(path: Path) -> None:
    """Have a file on the disk: after a power cut, the manifest must not speak of a program that is not whole."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _point(link: Path, file: str) -> None:
    temporary = link.with_name(f".{link.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        temporary.symlink_to(file)
        temporary.replace(link)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise _cannot_write(link, error) from error


def _cannot_write(path: Path, error: OSError) -> PrismError:
    return PrismError(f"cannot write {path}: {error.strerror}", hint=describe_way_out(error, path))
