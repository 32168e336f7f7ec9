"""Data directories that somebody removed under a service: made again before it is started, because it runs in there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.atomic import describe_way_out

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan
    from prismctl.files.paths import StackPaths


def ensure_data_directories(services: Iterable[ServicePlan], paths: StackPaths) -> list[Path]:
    """Make those that are missing, empty; which ones that were.

    Raises:
        PrismError: one cannot be made.
    """
    made = []
    for service in services:
        for replica in range(service.replicas):
            directory = paths.data_of(service.name, replica)
            if directory.exists():
                continue
            try:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise PrismError(
                    f"cannot make {directory}: {error.strerror}",
                    hint=describe_way_out(error, paths.directory),
                ) from error
            made.append(directory)
    return made
