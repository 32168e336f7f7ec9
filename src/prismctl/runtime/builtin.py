"""The Prism services that ship with prismctl: modules run by the interpreter that runs us."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from prismctl.errors import PrismError

if TYPE_CHECKING:
    from prismctl.domain.plan import ServicePlan

BUILTIN_MODULES: Final = {
    "prism-admin": "prism_services.admin",
    "pattern-launcher": "prism_services.launcher",
    "memstore": "prism_services.memstore",
    "prism-memstore": "prism_services.memstore",
    "keyvalue-runner": "prism_services.keyvalue",
    "pubsub-runner": "prism_services.pubsub",
    "prism-proxy": "prism_services.proxy",
}
"""The packaged services by the names that catalogs and commands use."""


def render_builtin(service: ServicePlan) -> tuple[str, ...]:
    """The command line of a packaged service.

    Raises:
        PrismError: no packaged service has that name.
    """
    module = BUILTIN_MODULES.get(service.program or service.name)
    if module is None:
        raise PrismError(
            f"{service.name}: no packaged service is called `{service.program or service.name}`",
            hint=f"packaged services are {', '.join(BUILTIN_MODULES)}",
        )
    return (sys.executable, "-m", module, *service.args)
