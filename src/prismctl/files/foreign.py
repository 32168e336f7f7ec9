"""Loads files of other tools, a compose file or a Procfile, as entries of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.importing.reading import Around
from prismctl.domain.importing.variables import resolve_dotenv
from prismctl.errors import ConfigError
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
_DOTENV: Final = ".env"


def find_foreign_files(directory: Path) -> list[Path]:
    """The files of other tools that lie in a directory: at most one of compose, and Procfiles."""
    compose = [directory / name for name in COMPOSE_NAMES if (directory / name).is_file()]
    procfiles = [directory / name for name in PROCFILE_NAMES if (directory / name).is_file()]
    return [*compose[:1], *procfiles[:1]]


def load_foreign(path: Path, *, catalog_directory: Path) -> Imported:
    """What a file of another tool comes to; which tool's it is, is seen by what is in it.

    Args:
        path: of the file.
        catalog_directory: what paths of the catalog it goes into are relative to.

    Raises:
        ConfigError: the other tool would refuse it; everything, each with its place.
        PrismError: it cannot be read.
    """
    from prismctl.domain.importing.procfile import is_procfile

    text = read_text(path)
    directory = path.absolute().parent
    variables = directory / _DOTENV
    around = Around(
        project=directory.name,
        catalog_directory=str(catalog_directory.absolute()),
        variables=resolve_dotenv(read_text(variables)) if variables.is_file() else {},
        read_text=_read_if_there,
    )
    if is_procfile(text):
        from prismctl.domain.importing.procfile import translate_procfile

        return translate_procfile(text, name_for_people(path), str(directory), around)
    from prismctl.domain.importing.compose import translate_compose
    from prismctl.files.yaml import parse_document

    return translate_compose(parse_document(text, path), around)


def _read_if_there(file: str) -> str | None:
    """The text of a file that another one names; one that cannot be used is as good as not there."""
    try:
        return read_text(Path(file))
    except ConfigError:
        return None
