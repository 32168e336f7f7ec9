"""The names in the catalog, remembered for the tab key: it has no time to read YAML."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from prismctl import __version__
from prismctl.domain.packaged_names import PACKAGED_NAMES
from prismctl.errors import PrismError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prismctl.files.paths import Home

FILE_NAME: Final = "catalog-names"


def find_overlay(path: Path) -> Path:
    """Where the file is looked for that lies over a catalog: ``services.local.yaml`` beside ``services.yaml``."""
    return path.with_name(f"{path.stem}.local{path.suffix}")


def catalog_stamp(path: Path) -> str:
    """What changes whenever the catalog, or the way it is read, does; empty where there is none, nor an overlay."""
    stamps = [_file_stamp(each) for each in (path, find_overlay(path))]
    if not any(stamps):
        return ""
    return " + ".join([f"{__version__} {stamps[0]}", *stamps[1:]]).removesuffix(" + ")


def _file_stamp(path: Path) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - the same, without another layer on the way to the tab key
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def recall_names(home: Home) -> list[str] | None:
    """The names in the catalog as it is on disk now; ``None`` when nobody has read it in this state."""
    present = catalog_stamp(home.catalog)
    if not present:
        return list(PACKAGED_NAMES)
    try:
        stamp, *names = (home.cache / FILE_NAME).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return names if stamp == present else None


def remember_names(home: Home, names: Iterable[str], *, stamp: str) -> None:
    """Write down what was read from the catalog; in a home that cannot be written, nothing.

    Args:
        home: whose catalog it is.
        names: that are in it.
        stamp: of the catalog, taken before it was read: an edit in between must not go unnoticed.
    """
    wanted = list(names)
    if not stamp or recall_names(home) == wanted:
        return
    from prismctl.files.atomic import write_atomically

    with contextlib.suppress(OSError, PrismError):
        home.cache.mkdir(mode=0o700, exist_ok=True)
        write_atomically(home.cache / FILE_NAME, "\n".join([stamp, *wanted]) + "\n")
