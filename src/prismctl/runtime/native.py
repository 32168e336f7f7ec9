"""A program on this machine that the catalog names by ``command``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prismctl.domain.plan import ServicePlan


def render_native(
    service: ServicePlan, environment: Mapping[str, str], directory: str
) -> tuple[str, ...]:
    """The command line with its program as an absolute path.

    A name is looked up on the service's own PATH; a relative path counts from the service's directory.

    Raises:
        MissingToolError: there is no such program.
    """
    if not service.command:
        raise MissingToolError(
            f"{service.name}: the catalog names no command",
            hint=f"give {service.name} a `command:` in the catalog",
        )
    name, *arguments = service.command
    if os.sep in name:
        program = str(Path(directory, name))
        is_there = os.access(program, os.X_OK)
    else:
        found = shutil.which(name, path=environment.get("PATH", os.defpath))
        program, is_there = found or name, found is not None
    if not is_there:
        raise MissingToolError(
            f"{service.name}: `{name}` is not installed",
            hint=f"install {name}, or name another program in the catalog's `command:`",
        )
    return (program, *arguments)
