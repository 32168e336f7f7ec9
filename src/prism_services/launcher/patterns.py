"""Which patterns can be launched: those that ship with Prism, and those of the patterns directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prism_services import __version__
from prism_services.launcher.manifest import Manifest, ManifestError, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME: Final = "manifest.yaml"
LARGEST_MANIFEST: Final = 1 << 20
"""Bytes."""
SHIPPED: Final = (
    Manifest(
        name="keyvalue",
        version=__version__,
        executable="keyvalue-runner",
        description="Keys and values on memstore, Redis, Postgres or NATS.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A manifest, and where its executable is."""

    manifest: Manifest
    executable: Path | None
    """Absolute; ``None`` where a command on PATH is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What was found."""

    patterns: Mapping[str, Pattern]
    """By name; one in the directory replaces the shipped one of its name."""
    rejected: tuple[str, ...] = ()
    """What was skipped and why, one line each."""


def find_patterns(directory: Path | None) -> Catalogue:
    """Read every ``NAME/manifest.yaml`` of the directory; what cannot be used is reported and skipped."""
    patterns = {item.name: Pattern(manifest=item, executable=None) for item in SHIPPED}
    found: dict[str, Path] = {}
    rejected: list[str] = []
    for path in _manifest_paths(directory, rejected):
        try:
            pattern = _read(path)
        except ManifestError as error:
            rejected.append(f"{path}: {error}")
            continue
        name = pattern.manifest.name
        if name in found:
            rejected.append(f"{path}: the name {name!r} is taken by {found[name]}")
            continue
        found[name] = path
        patterns[name] = pattern
    return Catalogue(patterns=patterns, rejected=tuple(rejected))


def _manifest_paths(directory: Path | None, rejected: list[str]) -> list[Path]:
    if directory is None:
        return []
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        rejected.append(f"{directory}: {(error.strerror or str(error)).lower()}")
        return []
    return [entry / FILE_NAME for entry in entries if (entry / FILE_NAME).is_file()]


def _read(path: Path) -> Pattern:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_MANIFEST + 1)
        if len(text) > LARGEST_MANIFEST:
            raise ManifestError([f"it is longer than {LARGEST_MANIFEST} bytes"])
        document = YAML(typ="safe", pure=True).load(text.decode())
    except OSError as error:
        raise ManifestError([(error.strerror or str(error)).lower()]) from error
    except UnicodeDecodeError as error:
        raise ManifestError(["it is not UTF-8"]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise ManifestError([f"it is not YAML: {' '.join(str(error).split())}"]) from error
    manifest = read_manifest(document)
    executable = (path.parent / manifest.executable).absolute()
    if not executable.is_file():
        raise ManifestError([f"executable {executable} does not exist"])
    if not os.access(executable, os.X_OK):
        raise ManifestError([f"executable {executable} cannot be executed"])
    return Pattern(manifest=manifest, executable=executable)
