"""Container images: refused as long as nothing here can run one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from prismctl.errors import MissingToolError

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan


def render_container(service: ServicePlan) -> NoReturn:
    """Refuse, and say what to do instead.

    Raises:
        MissingToolError: always.
    """
    raise MissingToolError(
        f"{service.name}: the image {service.program} needs a container runtime, which is not supported here",
        hint=f"give {service.name} a `command:` in the catalog and start with `--runtime native`",
    )
