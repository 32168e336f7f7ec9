"""A program on this machine that the catalog names by ``command``."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.domain.servers.kafka import KAFKA
from prismctl.domain.servers.postgres import POSTGRES
from prismctl.domain.servers.redis import REDIS
from prismctl.errors import MissingToolError, PrismError
from prismctl.files.program_versions import read_version
from prismctl.runtime import other_account
from prismctl.runtime.servers.data_check import render_data_check
from prismctl.runtime.servers.kafka import render_kafka
from prismctl.runtime.servers.launch import Launch, render_script
from prismctl.runtime.servers.postgres import render_postgres
from prismctl.runtime.servers.redis import is_plain_redis, render_redis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.plan import ServicePlan
    from prismctl.files.paths import StackPaths


def render_native(
    service: ServicePlan,
    environment: Mapping[str, str],
    directory: str,
    data: str,
    paths: StackPaths,
) -> tuple[str, ...]:
    """The command line with its program as an absolute path; what is to be done once comes before it.

    A name is looked up on the service's own PATH; a relative path counts from the service's directory.

    Args:
        service: the plan of the instance.
        environment: of the instance.
        directory: where it runs.
        data: its data directory.
        paths: of the stack; its home has what servers need once, and the versions of programs.

    Raises:
        MissingToolError: there is no such program.
        PrismError: it is to run as a user that does not exist.
    """
    if not service.command:
        raise MissingToolError(
            f"{service.name}: the catalog names no command",
            hint=f"give {service.name} a `command:` in the catalog",
        )
    path = environment.get("PATH", os.defpath)
    program, *arguments = service.command
    found = _find_program(program, directory, path)
    if found is None:
        raise _missing(service, program, "command")
    account = _become_account(service, data)
    check = render_data_check(service, data)
    launch = Launch(found, (*account, found, *arguments), before=check)
    if service.init:
        first, *rest = service.init
        # Database servers are often kept, with all that goes with them, in a directory that is on nobody's PATH.
        beside = f"{path}{os.pathsep}{Path(found).resolve().parent}"
        initial = _find_program(first, directory, beside)
        if initial is None:
            raise _missing(service, first, "native.init")
        launch = launch._replace(init=(*account, initial, *rest))
    if service.driver == POSTGRES.driver:
        launch = render_postgres(service, launch, data, paths.servers)
    elif service.driver == KAFKA.driver and not account:
        launch = render_kafka(service, launch, environment, data, paths.servers)
    elif service.driver == REDIS.driver and is_plain_redis(launch):
        launch = render_redis(launch, read_version(paths.home, found, saves=False) or "")
    return launch.render(data, service.files)


def _become_account(service: ServicePlan, data: str) -> tuple[str, ...]:
    """What comes before a command that root runs under another account; nobody but root can."""
    if os.geteuid() != 0 or service.user in {"", "root"}:
        return ()
    try:
        pwd.getpwnam(service.user)
    except KeyError as error:
        raise PrismError(
            f"{service.name}: there is no user `{service.user}` on this machine",
            hint=f"create it, or name another one in the catalog's `native.user` of {service.name}",
        ) from error
    return (*render_script(other_account.__file__), service.user, data)


def _find_program(name: str, directory: str, path: str) -> str | None:
    if os.sep not in name:
        return shutil.which(name, path=path)
    program = str(Path(directory, name))
    return program if os.access(program, os.X_OK) else None


def _missing(service: ServicePlan, program: str, key: str) -> MissingToolError:
    return MissingToolError(
        f"{service.name}: `{program}` is not installed",
        hint=f"install {program}, or name another program in the catalog's `{key}:`",
    )
