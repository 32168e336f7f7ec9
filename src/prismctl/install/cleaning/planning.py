"""Plans what `clean` removes; looks, and touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.closing import holds_more
from prismctl.install.cleaning.by_manifest import add_by_manifest
from prismctl.install.cleaning.by_name import plan_by_name
from prismctl.install.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.files.paths import Home
    from prismctl.install.cleaning.targets import CleaningPlan


def plan_cleaning(
    home: Home, *, manifest: Manifest | None, environment: Mapping[str, str]
) -> CleaningPlan:
    """What would be removed from a home, and what would stay.

    Args:
        home: to be cleaned.
        manifest: of everything else that goes as well; ``None``: tools, catalog, profiles and settings stay.
        environment: says where tools are that were built for this machine.

    Raises:
        PrismError: home cannot be read, or is a place that must not be cleaned.
    """
    refuse_dangerous(home)
    try:
        paths = sorted(home.directory.iterdir())
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise PrismError(f"cannot read {home.directory}: {error.strerror}") from error
    created = (manifest or _read_leniently(home)).created
    plan = plan_by_name(home, paths, created=created, is_all=manifest is not None)
    return plan if manifest is None else add_by_manifest(plan, home, manifest, environment)


def refuse_dangerous(home: Home) -> None:
    """Names such as ``bin`` and ``downloads`` are ours only in a directory that is home to nothing else.

    Raises:
        PrismError: home is the system's, the user's own home directory, or one above it.
    """
    if holds_more(home.directory):
        raise PrismError(
            f"{home.directory} holds more than a Prism home: it is not cleaned",
            hint="`unset PRISM_HOME`, or point it at a directory of its own",
        )


def _read_leniently(home: Home) -> Manifest:
    """The manifest, for words only: what cannot be read says nothing."""
    try:
        return read_manifest(home)
    except PrismError:
        return Manifest()
