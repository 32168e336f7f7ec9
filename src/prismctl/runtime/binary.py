"""A program of the service's name that was built or installed by the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prismctl.errors import MissingToolError

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan


def render_binary(service: ServicePlan) -> tuple[str, ...]:
    """The command line of a program that the plan found.

    Raises:
        MissingToolError: it is no longer there.
    """
    if not Path(service.program).is_file():
        raise MissingToolError(
            f"{service.name}: {service.program or 'its program'} is gone",
            hint=f"build it again, or `prismctl dev start --without {service.name}`",
        )
    return (service.program, *service.args)
