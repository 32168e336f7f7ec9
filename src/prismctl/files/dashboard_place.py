"""Where a stack's page is served: written by its daemon, for the next one and for whoever plans ports beside it.

Standard library only and cheap to import, because every start plans.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from prismctl.files.atomic import write_atomically

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

DEFAULT_PORT: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardPlace:
    """Where a page is."""

    wanted: int = DEFAULT_PORT
    """What the settings say."""
    port: int | None = None
    """What is had; ``None``: nothing."""
    pid: int | None = None
    """Of the daemon that has it."""


def load_place(paths: StackPaths) -> DashboardPlace:
    """Where the page is, or was; nowhere, when that cannot be read."""
    try:
        document = json.loads(paths.dashboard_place.read_text(encoding="utf-8"))
        port, pid = document["port"], document["pid"]
        return DashboardPlace(
            wanted=int(document["wanted"]),
            port=None if port is None else int(port),
            pid=None if pid is None else int(pid),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return DashboardPlace()


def save_place(paths: StackPaths, place: DashboardPlace) -> None:
    """Write down where the page is.

    Raises:
        PrismError: it cannot be written.
    """
    # Without power there is no page.
    write_atomically(paths.dashboard_place, json.dumps(asdict(place)), outlives_power=False)
