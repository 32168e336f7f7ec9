"""The catalog in bundles: packed as it is, taken where a home has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.domain.counting import count_of
from prismctl.files.atomic import write_atomically
from prismctl.files.catalog import load_catalog, parse_catalog, save_catalog_schema
from prismctl.install.bundle.damage import DamagedBundleError
from prismctl.install.bundle.index import CATALOG_NAME
from prismctl.install.bundle.opened import open_bundle
from prismctl.install.release.writing import writing
from prismctl.install.steps import Outcome
from prismctl.install.target import find_target
from prismctl.install.threads import run_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.files.paths import Home
    from prismctl.install.bundle.staging import Staging
    from prismctl.install.target import Target


def gather_catalog(staging: Staging, home: Home) -> Outcome:
    """Have the catalog of a home ready to be packed.

    Raises:
        ConfigError: it has mistakes; all of them, each with its place.
        PrismError: it cannot be read.
    """
    if not home.catalog.exists():
        return Outcome(detail="this home has none yet; the other machine gets the packaged one")
    catalog = load_catalog(home, creates=False)
    staging.paths[CATALOG_NAME] = home.catalog
    return Outcome(detail=count_of(len(catalog.services), "service"))


async def take_catalog(source: Path, home: Home, *, target: Target | None = None) -> bool:
    """Put the catalog of a bundle into a home that has none; whether it did.

    Raises:
        ConfigError: the catalog has mistakes; all of them, each with its place.
        PrismError: the bundle is damaged, or home cannot be written.
    """
    if home.catalog.exists():
        return False
    bundle = await run_in_thread(lambda _: open_bundle(source, target or find_target()))
    if not bundle.has(CATALOG_NAME):
        return False
    data = await run_in_thread(lambda course: bundle.read(CATALOG_NAME, course))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DamagedBundleError(f"{bundle.name_of(CATALOG_NAME)} is not text") from error
    parse_catalog(text, home.catalog)
    with writing(home.directory):
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_catalog_schema(home)
    write_atomically(home.catalog, data)
    return True
