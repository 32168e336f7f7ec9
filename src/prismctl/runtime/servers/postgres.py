"""PostgreSQL on this machine: its cluster is made once a machine and copied, and its data looked at before each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.runtime.servers import postgres_check_here
from prismctl.runtime.servers.launch import Launch, render_copy, render_script

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan


def render_postgres(service: ServicePlan, launch: Launch, data: str, templates: Path) -> Launch:
    """The launch with a copy in place of the init, and with the look before all else."""
    program = launch.program
    check = (*render_script(postgres_check_here.__file__), data, service.user, program)
    if not launch.init:
        return launch._replace(before=check)
    copy = render_copy(service, launch.init, data, templates, madeby=program)
    return launch._replace(before=check, init=copy)
