"""Loads files of other tools, a compose file or a Procfile, as entries of the catalog."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.importing.reading import Around
from prismctl.domain.importing.variables import DOTENV, resolve_dotenv
from prismctl.errors import ConfigError, Problem
from prismctl.files.text import name_for_people, read_text

if TYPE_CHECKING:
    from prismctl.domain.importing.imported import Imported

COMPOSE_NAMES: Final = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
)
"""What compose looks for, in its order."""
PROCFILE_NAMES: Final = ("Procfile", "Procfile.dev")
_HAS_COMMAND: Final = re.compile(r"^[\w-]+:\s*[\w./-]+ \S", re.MULTILINE)
"""Any mapping of words looks like a Procfile; one with a program and its arguments is hardly anything else."""
_ONLY_COMPOSE: Final = frozenset({"image", "build", "extends"})
"""What a service of compose cannot do without, and one of the catalog never has."""


def find_foreign_files(directory: Path) -> list[Path]:
    """The files of other tools that lie in a directory: at most one of compose, and Procfiles."""
    compose = [directory / name for name in COMPOSE_NAMES if (directory / name).is_file()]
    procfiles = [directory / name for name in PROCFILE_NAMES if (directory / name).is_file()]
    return [*compose[:1], *procfiles[:1]]


def load_foreign(path: Path, *, catalog_directory: Path, is_shared: bool = False) -> Imported:
    """What a file of another tool comes to; which tool's it is, is seen by what is in it.

    Args:
        path: of the file.
        catalog_directory: what paths of the catalog it goes into are relative to.
        is_shared: whether that is in a repository: secrets of files of variables beside the other file stay there.

    Raises:
        ConfigError: the other tool would refuse it; everything, each with its place.
        PrismError: it cannot be read.
    """
    from prismctl.domain.importing.procfile import is_procfile

    text = read_text(path)
    directory = path.absolute().parent
    variables = directory / DOTENV
    around = Around(
        project=directory.name,
        catalog_directory=str(catalog_directory.absolute()),
        variables=resolve_dotenv(read_text(variables)) if variables.is_file() else {},
        read_text=_read_if_there,
        is_shared=is_shared,
    )
    if is_procfile(text):
        from prismctl.domain.importing.procfile import translate_procfile

        return translate_procfile(text, name_for_people(path), str(directory), around)
    from prismctl.domain.importing.compose import translate_compose
    from prismctl.files.yaml import parse_document

    return translate_compose(parse_document(text, path), around)


def refuse_foreign(text: str, path: Path, mistakes: ConfigError) -> None:
    """Say it, where what cannot be read as a catalog is a file of another tool.

    Raises:
        ConfigError: it is.
    """
    tool = _recognise(text, path)
    if tool:
        name = name_for_people(path)
        raise ConfigError(
            [Problem(message=f"this is a {tool}, not a catalog", file=name)],
            hint=f"`prismctl dev catalog import {shlex.quote(name)}` brings its services into the catalog",
        ) from mistakes


def _recognise(text: str, path: Path) -> str:
    """Which tool's file it is; empty for none that is known."""
    from prismctl.domain.importing.procfile import is_procfile
    from prismctl.files.yaml import parse_document

    if is_procfile(text) and (path.name in PROCFILE_NAMES or _HAS_COMMAND.search(text)):
        return "Procfile"
    try:
        tree = parse_document(text, path).tree
    except ConfigError:
        return ""
    services = tree.get("services") if isinstance(tree, dict) else None
    entries = services.values() if isinstance(services, dict) else ()
    is_compose = any(
        isinstance(each, dict) and not each.keys().isdisjoint(_ONLY_COMPOSE) for each in entries
    )
    return "compose file" if is_compose else ""


def _read_if_there(file: str) -> str | None:
    """The text of a file that another one names; one that cannot be used is as good as not there."""
    try:
        return read_text(Path(file))
    except ConfigError:
        return None
