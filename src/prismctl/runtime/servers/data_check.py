"""The look at a server's data directory that comes before all else: which services have it, and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.domain.servers.postgres import POSTGRES
from prismctl.domain.servers.registry import SERVERS
from prismctl.domain.service import Runtime
from prismctl.runtime.servers import data_check_here
from prismctl.runtime.servers.launch import render_script

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan

_CHECKED: Final = frozenset({Runtime.NATIVE, Runtime.CONTAINER})
_NEEDED_MB: Final = 10
"""With less, a server comes up and refuses the first writes; a home with less is refused by every start."""
_NEEDED_BY_POSTGRES_MB: Final = 24
"""With less to write to, it starts and dies at the first checkpoint."""


def has_data_check(service: ServicePlan) -> bool:
    """Whether it is a server that keeps data where we give it a place."""
    return service.driver in SERVERS and service.runtime in _CHECKED


def render_data_check(service: ServicePlan, data: str, *, postgres: str = "") -> tuple[str, ...]:
    """The command that looks, and becomes the one that follows it; empty where there is nothing to look at.

    Args:
        service: whose data it is.
        data: the data directory.
        postgres: the program of this machine whose version the data has to be of; empty: none.
    """
    if not has_data_check(service):
        return ()
    is_inside = service.runtime is Runtime.CONTAINER
    user = data_check_here.ANY_ACCOUNT if is_inside else service.user
    needed_mb = _NEEDED_BY_POSTGRES_MB if service.driver == POSTGRES.driver else _NEEDED_MB
    return (*render_script(data_check_here.__file__), data, user, str(needed_mb), postgres)
