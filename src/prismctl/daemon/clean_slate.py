"""What a fresh start puts aside: data that was not asked to persist, and the output of the last run."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import StackPaths

PREVIOUS_NAME: Final = ".previous"
"""Below the data directory: what the latest fresh start discarded, kept until the next one."""


def discard_data(paths: StackPaths, plan: StackPlan) -> tuple[list[str], list[str]]:
    """Move the data of services that do not persist aside; those that had any, and those whose data stays.

    Raises:
        PrismError: it cannot be moved.
    """
    persistent = {service.name for service in plan.services if service.persist}
    planned = set(plan.names)
    fresh: list[str] = []
    kept: list[str] = []
    for directory in _data_directories(paths):
        service = directory.name.partition("#")[0]
        if service not in planned or _is_empty(directory):
            continue
        if service in persistent:
            kept.append(directory.name)
            continue
        fresh.append(directory.name)
        _put_aside(directory, paths.data / PREVIOUS_NAME / directory.name)
    return fresh, kept


def discard_logs(paths: StackPaths) -> None:
    """Remove what the instances of the last run printed; agents may be writing already."""
    with contextlib.suppress(OSError):
        for path in paths.logs.iterdir():
            if "#" in path.name:
                path.unlink()


def _data_directories(paths: StackPaths) -> list[Path]:
    try:
        return sorted(
            path for path in paths.data.iterdir() if path.is_dir() and path.name != PREVIOUS_NAME
        )
    except OSError:
        return []


def _is_empty(directory: Path) -> bool:
    return next(directory.iterdir(), None) is None


def _put_aside(directory: Path, place: Path) -> None:
    try:
        if place.exists():
            shutil.rmtree(place)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.rename(place)
    except OSError as error:
        raise PrismError(
            f"cannot put {directory} aside: {error.strerror}",
            hint="make it writable, or start with `--persist`",
        ) from error
