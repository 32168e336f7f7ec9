"""What prismctl has put into a home and onto this machine: so that `clean` takes away that and nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from prismctl import __version__
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.files.locks import holding_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prismctl.files.paths import Home

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledTool:
    """One version of a tool in home's ``bin``."""

    file: str
    """Name of the program in ``bin``: ``nomad-1.11.3``."""
    version: str
    provider: str
    source: str
    """Where it came from: a URL, a Go module, a file."""
    sha256: str
    """Of the program, in hexadecimal."""
    verified: str
    """How it was verified, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHistory:
    """All versions of one tool that are in home, and which one is in use."""

    current: str
    """The ``file`` that is in use; empty when none is yet."""
    previous: str = ""
    """The ``file`` that was in use before it, to go back to."""
    installed: tuple[InstalledTool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPackages:
    """Packages that a package manager did not have installed before it was asked for them here."""

    manager: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything a home is accountable for."""

    tools: Mapping[str, ToolHistory] = field(default_factory=dict)
    """By name of the program."""
    packages: tuple[InstalledPackages, ...] = ()
    created: tuple[str, ...] = ()
    """Paths that were made for this home, relative to it or absolute; what they hold is ours too."""
    images: tuple[str, ...] = ()
    """Container images that were pulled for this home, by ID: Docker's begin with ``sha256:``, Podman's do not."""


def read_manifest(home: Home) -> Manifest:
    """The manifest of a home; an empty one where there is none.

    Raises:
        PrismError: it cannot be read, is damaged, or was written by a newer prismctl.
    """
    path = home.manifest
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema = document["schema"]
        if schema > SCHEMA:
            raise PrismError(
                f"{home.directory} was written by prismctl {document['written_by']}; this is {__version__}",
                hint="upgrade prismctl, or point PRISM_HOME at another home",
            )
        return _parse(document)
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise PrismError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrismError(
            f"{path} is damaged: {error}",
            hint=f"move it away: `mv {path} {path}.damaged`; `prismctl dev init` writes a new one",
        ) from error


def change_manifest(home: Home, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Replace the manifest of a home by what is made of it, and return that.

    Nobody else's change is lost: a start that pulls an image may come into the middle of an installation, or of another
    start.

    Raises:
        PrismError: it cannot be read or written, or what `change` raises.
    """
    with holding_directory(home.directory):
        manifest = read_manifest(home)
        changed = change(manifest)
        if changed != manifest:
            write_manifest(home, changed)
    return changed


def write_manifest(home: Home, manifest: Manifest) -> None:
    """Replace the manifest of a home, whatever is in it by now.

    Raises:
        PrismError: it cannot be written.
    """
    document = {"schema": SCHEMA, "written_by": __version__, **asdict(manifest)}
    write_atomically(home.manifest, json.dumps(document, indent=2) + "\n")


def with_tool(manifest: Manifest, name: str, tool: InstalledTool) -> Manifest:
    """The manifest with one more version of a tool, in use from now on."""
    history = manifest.tools.get(name, ToolHistory(current=""))
    others = tuple(each for each in history.installed if each.file != tool.file)
    is_same = history.current == tool.file
    changed = ToolHistory(
        current=tool.file,
        previous=history.previous if is_same else history.current,
        installed=(*others, tool),
    )
    return replace(manifest, tools={**manifest.tools, name: changed})


def with_created(manifest: Manifest, path: Path | str) -> Manifest:
    """The manifest with one more path that was made for this home."""
    if str(path) in manifest.created:
        return manifest
    return replace(manifest, created=(*manifest.created, str(path)))


def with_packages(manifest: Manifest, brought: InstalledPackages) -> Manifest:
    """The manifest with packages that a package manager installed for this home."""
    known = {
        name for each in manifest.packages if each.manager == brought.manager for name in each.names
    }
    new = tuple(name for name in brought.names if name not in known)
    if not new:
        return manifest
    return replace(manifest, packages=(*manifest.packages, replace(brought, names=new)))


def with_image(manifest: Manifest, identity: str) -> Manifest:
    """The manifest with one more image that was pulled for this home."""
    if identity in manifest.images:
        return manifest
    return replace(manifest, images=(*manifest.images, identity))


def rolled_back(manifest: Manifest, name: str) -> Manifest:
    """The manifest with the version of a tool that was in use before; going back twice is going forth.

    Raises:
        PrismError: there is none.
    """
    history = manifest.tools.get(name)
    if history is None or not history.previous:
        raise PrismError(
            f"there is no earlier {name} to go back to",
            hint="`prismctl dev version` shows what is installed",
        )
    changed = replace(history, current=history.previous, previous=history.current)
    return replace(manifest, tools={**manifest.tools, name: changed})


def _parse(document: dict[str, Any]) -> Manifest:
    manifest = Manifest(
        tools={
            name: ToolHistory(
                current=history["current"],
                previous=history["previous"],
                installed=tuple(InstalledTool(**each) for each in history["installed"]),
            )
            for name, history in document["tools"].items()
        },
        packages=tuple(
            InstalledPackages(manager=each["manager"], names=tuple(each["names"]))
            for each in document["packages"]
        ),
        created=tuple(document["created"]),
        images=tuple(document["images"]),
    )
    for name, history in manifest.tools.items():
        for file in (name, history.current, history.previous, *(e.file for e in history.installed)):
            # They are looked for, replaced and removed in `bin`, and nowhere else.
            if os.path.basename(file) != file or file in {os.curdir, os.pardir}:  # noqa: PTH119 - a name, not a path
                raise ValueError(f"`{file}` is not the name of a file")
    return manifest
