"""Loads the catalog, and creates it the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.offering import Catalog
from prismctl.domain.packaged import PACKAGED, render_catalog
from prismctl.errors import ConfigError, PrismError
from prismctl.files.catalog_names import catalog_stamp, find_overlay, remember_names
from prismctl.files.text import name_for_people, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.document import Document
    from prismctl.files.paths import Home

SCHEMA_FILE_NAME: Final = "services.schema.json"
"""Beside the catalog, whose first line points editors to it."""


def load_catalog(
    home: Home, path: Path | None = None, *, creates: bool = True, locates: bool = False
) -> Catalog:
    """The catalog of a home, or that of a file given for one call; with what lies over it in a file beside it.

    With ``creates`` off, a home that has none stays as it is, and the packaged one is taken. With ``locates``,
    what nobody has edited is parsed as well, so that each value knows its line.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
        PrismError: it cannot be read, or not be created in a home that has none.
    """
    if path is None and creates:
        ensure_catalog(home)
    if path is not None:
        return _read(path, locates=locates)
    stamp = catalog_stamp(home.catalog)
    if not stamp:
        return _untouched(home.catalog)
    is_missing = not home.catalog.exists()
    catalog = _read(home.catalog, home, is_missing=is_missing, locates=locates and not is_missing)
    remember_names(home, catalog.names, stamp=stamp)
    return catalog


def _read(
    path: Path, home: Home | None = None, *, is_missing: bool = False, locates: bool = False
) -> Catalog:
    """The catalog of a file, or the one that the file would be made with, and what lies over it.

    A ``home`` keeps what was parsed: its own catalog is read again and again.
    """
    packaged = render_catalog()
    text = packaged if is_missing else read_text(path)
    # Where nobody has edited it, what it says is known, and no YAML has to be parsed.
    is_known = text == packaged and not locates
    catalog = _untouched(path) if is_known else parse_catalog(text, path, home)
    overlay = find_overlay(path)
    return _put_over(catalog, overlay, home) if overlay.exists() else catalog


def _put_over(catalog: Catalog, overlay: Path, home: Home | None) -> Catalog:
    """The catalog with a file over it; one in which nothing is written changes nothing."""
    from prismctl.domain.catalog import read_overlay

    text = read_text(overlay)
    lines = (line.strip() for line in text.splitlines())
    if all(not line or line.startswith("#") for line in lines):
        return catalog
    return read_overlay(_parse(text, overlay, home), catalog)


def _parse(text: str, path: Path, home: Home | None) -> Document:
    if home is None:
        from prismctl.files.yaml import parse_document

        return parse_document(text, path)
    from prismctl.files.parsed_catalog import read_document

    return read_document(text, path, home)


def _untouched(path: Path) -> Catalog:
    return Catalog(
        services=PACKAGED,
        file=name_for_people(path),
        directory=str(path.parent),
        is_generated=True,
    )


def parse_catalog(text: str, path: Path, home: Home | None = None) -> Catalog:
    """The catalog that a file's text describes; a ``home`` keeps what was parsed.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
    """
    from prismctl.domain.catalog import read_catalog

    try:
        return read_catalog(_parse(text, path, home))
    except ConfigError as error:
        from prismctl.files.foreign import refuse_foreign

        refuse_foreign(text, path, error)
        raise


def ensure_catalog(home: Home) -> bool:
    """Create the catalog, and the schema that editors check it with, in a home that has none; whether it did.

    Raises:
        PrismError: home cannot be written.
    """
    if home.catalog.exists():
        return False
    try:
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PrismError(
            f"cannot create {home.directory}: {error.strerror}",
            hint="make its parent writable, or point PRISM_HOME somewhere else",
        ) from error
    from prismctl.files.atomic import write_atomically

    save_catalog_schema(home)
    write_atomically(home.catalog, render_catalog())
    return True


def save_catalog_schema(home: Home) -> None:
    """Write the schema that this version of prismctl validates with.

    Raises:
        PrismError: home cannot be written.
    """
    import json

    from prismctl.domain.catalog_keys import catalog_schema
    from prismctl.files.atomic import write_atomically

    text = json.dumps(catalog_schema(), indent=2) + "\n"
    write_atomically(home.directory / SCHEMA_FILE_NAME, text)
