"""PostgreSQL on this machine: its cluster is made once a home and copied.

Before each start its data is looked at and given the password of its environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prismctl.runtime.servers import postgres_password_here
from prismctl.runtime.servers.data_check import render_data_check
from prismctl.runtime.servers.launch import Launch, render_copy, render_script

if TYPE_CHECKING:
    from pathlib import Path

    from prismctl.domain.plan import ServicePlan


_PASSWORD: Final = "POSTGRES_PASSWORD"  # noqa: S105 - a key's name
_METHOD: Final = "POSTGRES_HOST_AUTH_METHOD"
_AUTH_HOST: Final = "--auth-host="


def render_postgres(service: ServicePlan, launch: Launch, data: str, templates: Path) -> Launch:
    """The launch with a copy in place of the init, a look at the version too, and the password before the server."""
    program = launch.program
    check = render_data_check(service, data, postgres=program)
    if not launch.init:
        return launch._replace(before=check)
    init = _choose_method(launch.init, service.env.get(_METHOD, ""))
    copy = render_copy(service, init, data, templates, madeby=program)
    command = launch.command
    if service.env.get(_PASSWORD):
        syncs = "1" if service.persist else "0"
        count = str(command.index(program) + 1)
        script = render_script(postgres_password_here.__file__)
        command = (*script, data, syncs, count, *command)
    return launch._replace(before=check, init=copy, command=command)


def _choose_method(init: tuple[str, ...], method: str) -> tuple[str, ...]:
    """The init with the way to log in over the network that the official image's variable asks for."""
    if not method:
        return init
    return tuple(f"{_AUTH_HOST}{method}" if word.startswith(_AUTH_HOST) else word for word in init)
