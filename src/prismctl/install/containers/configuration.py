"""Configuration files of containers that belong to a home: Podman is pointed to them, the system's stay as they are."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out, write_atomically
from prismctl.install.containers.settings import Settings, merge_tables, render_settings
from prismctl.install.containers.toml import write_toml
from prismctl.install.manifest import change_manifest, with_created
from prismctl.install.versions import Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prismctl.files.paths import Home

DIRECTORY: Final = "containers"
"""In home; all that is in it was made by prismctl."""
_ADDED: Final = "override.conf"
"""Read by Podman on top of the system's and the user's own."""
_WHOLE: Final = "containers.conf"
"""Read by Podman instead of the system's and the user's own, which it therefore contains."""
_REGISTRIES: Final = "registries.conf"
_SHORT_NAMES: Final = "docker.io"
_FIRST_WITH_OVERRIDE: Final = Version(4, 5)
_SEARCH_KEY: Final = re.compile(
    r"^\s*unqualified-search-registries\s*=\s*\[[^\]]*\]\s*$", re.MULTILINE
)
_COMMENT: Final = re.compile(r"^\s*#.*\n?", re.MULTILINE)
_HEAD: Final = "# Written by `prismctl dev init`, which writes it anew when it has to.\n"


def podman_environment(home: Home) -> dict[str, str]:
    """The variables that Podman is to be run with, so that it reads what this home has found to work."""
    directory = home.directory / DIRECTORY
    variables = {
        "CONTAINERS_CONF_OVERRIDE": directory / _ADDED,
        "CONTAINERS_CONF": directory / _WHOLE,
        "CONTAINERS_REGISTRIES_CONF": directory / _REGISTRIES,
    }
    return {name: str(path) for name, path in variables.items() if path.is_file()}


def write_settings(
    home: Home, settings: Settings, *, version: str, environment: Mapping[str, str]
) -> None:
    """Make Podman use settings whenever it is run with `podman_environment`; the default ones need no file.

    Args:
        home: that it is run for.
        settings: that were found to work.
        version: of Podman; only later ones can add to what the system and the user have set.
        environment: says where the user's own files are.

    Raises:
        PrismError: home cannot be written, or a file of the system or the user cannot be read.
    """
    directory = _make_directory(home)
    can_add = (parse_version(version) or Version(0, 0)) >= _FIRST_WITH_OVERRIDE
    tables: dict[str, Any] = render_settings(settings)
    used, other = (_ADDED, _WHOLE) if can_add else (_WHOLE, _ADDED)
    (directory / other).unlink(missing_ok=True)
    if settings.is_default:
        (directory / used).unlink(missing_ok=True)
        return
    if not can_add:
        tables = merge_tables(_read_all(_settings_files(environment)), tables)
    write_atomically(directory / used, _HEAD + write_toml(tables), mode=0o644)


def write_registries(home: Home, environment: Mapping[str, str]) -> None:
    """Make Podman look for images with short names at Docker Hub, beside all that is configured already.

    Raises:
        PrismError: home cannot be written, or a file of the system or the user cannot be read.
    """
    existing = next((path for path in registry_files(environment) if path.is_file()), None)
    text = _read_text(existing) if existing else ""
    line = f'unqualified-search-registries = ["{_SHORT_NAMES}"]\n'
    # Keys of the document come before its first table.
    kept = _COMMENT.sub("", _SEARCH_KEY.sub("", text)).strip()
    content = f"{_HEAD}{line}{kept}\n" if kept else f"{_HEAD}{line}"
    write_atomically(_make_directory(home) / _REGISTRIES, content, mode=0o644)


def remove_registries(home: Home) -> None:
    """Let Podman read the registries of the system and the user again."""
    (home.directory / DIRECTORY / _REGISTRIES).unlink(missing_ok=True)


def _make_directory(home: Home) -> Path:
    directory = home.directory / DIRECTORY
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PrismError(
            f"cannot create {directory}: {error.strerror}", hint=describe_way_out(error, directory)
        ) from error
    change_manifest(home, lambda manifest: with_created(manifest, DIRECTORY))
    return directory


def _settings_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files that Podman would read, each going before the next."""
    if chosen := environment.get("CONTAINERS_CONF"):
        yield Path(chosen)
        return
    for place in (Path("/usr/share/containers"), Path("/etc/containers"), _own(environment)):
        yield place / "containers.conf"
        yield from sorted((place / "containers.conf.d").glob("*.conf"))


def registry_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files of which Podman would read the first that is there."""
    if chosen := environment.get("CONTAINERS_REGISTRIES_CONF"):
        yield Path(chosen)
    yield _own(environment) / "registries.conf"
    yield Path("/etc/containers/registries.conf")


def _own(environment: Mapping[str, str]) -> Path:
    chosen = environment.get("XDG_CONFIG_HOME")
    home = environment.get("HOME") or str(Path.home())
    return Path(chosen or os.path.join(home, ".config")) / "containers"  # noqa: PTH118 - joins strings


def _read_all(files: Iterator[Path]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path in files:
        if not path.is_file():
            continue
        try:
            document = merge_tables(document, tomllib.loads(_read_text(path)))
        except tomllib.TOMLDecodeError as error:
            raise PrismError(
                f"{path} cannot be read: {error}", hint="Podman cannot read it either; mend it"
            ) from error
    return document


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PrismError(f"{path} cannot be read: {error}") from error
