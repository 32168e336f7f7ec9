"""What is gathered for a bundle before it is written: each file with its future name."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.install.release.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.files.paths import Home
    from prismctl.install.bundle.index import BundledTool


@dataclass(slots=True, kw_only=True)
class Staging:
    """What was gathered so far."""

    directory: Path
    """For what is made on the way; gone afterwards."""
    paths: dict[str, Path] = field(default_factory=dict)
    """Where each file is, by its name in the bundle."""
    tools: dict[str, BundledTool] = field(default_factory=dict)
    """By name of the program."""
    images: dict[str, str] = field(default_factory=dict)
    """Name in the bundle of each image, by the image's own name."""
    spent: list[Path] = field(default_factory=list)
    """Downloads that nobody needs once the bundle is written."""
    python: str = ""
    """The Python that wheels were gathered for."""


@contextlib.contextmanager
def staging(home: Home) -> Iterator[Staging]:
    """A place to gather in, below the home; to be used by whoever holds the lock of the installation.

    Raises:
        PrismError: home cannot be written.
    """
    with writing(home.downloads):
        home.downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="bundle-", dir=home.downloads))
    try:
        yield Staging(directory=directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
