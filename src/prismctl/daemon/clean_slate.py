"""What a fresh start puts aside: data that was not asked to persist, and the output of the last run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prismctl.errors import PrismError
from prismctl.files.service_data import ServiceData

if TYPE_CHECKING:
    from prismctl.domain.plan import StackPlan
    from prismctl.files.paths import StackPaths


def discard_data(paths: StackPaths, plan: StackPlan) -> tuple[list[str], list[str]]:
    """Move the data of services that do not persist aside; those that had any, and those whose data stays.

    What was restored while the stack was stopped stays for this start: somebody wants to see it.

    Raises:
        PrismError: it cannot be moved.
    """
    data = ServiceData(paths.data)
    fresh: list[str] = []
    kept: list[str] = []
    for service in plan.services:
        if not data.has_data(service.name):
            continue
        if service.persist or data.is_kept(service.name):
            kept.append(service.name)
            continue
        fresh.append(service.name)
        try:
            data.carry_out(data.prepare_empty(service.name))
        except PrismError as error:
            raise PrismError(
                error.message, hint="make it writable, or start with `--persist`"
            ) from error
    return fresh, kept


def discard_logs(paths: StackPaths) -> None:
    """Remove what the instances of the last run printed; agents may be writing already."""
    with contextlib.suppress(OSError):
        for path in paths.logs.iterdir():
            if "#" in path.name:
                path.unlink()
