"""What a start keeps to beside its plan: how long it waits, what it does where a service fails, where its page is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prismctl.cli.start_options import plan_request
from prismctl.domain.plan import FailurePolicy

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.planning import PlanRequest


class StartSettings(NamedTuple):
    """Each as the flag, the project's file or somebody's settings say, else as is usual."""

    on_failure: FailurePolicy
    wait_seconds: float
    dashboard_port: int | None
    """Where the page in the browser shall be; ``None`` where nobody has said."""


def keeps_going(call: Invocation, options: StartOptions) -> bool:
    """Whether what runs is left when something else does not come up.

    Raises:
        PrismError: as `settle_start` says.
    """
    return settle_start(call, plan_request(call, options)).on_failure is FailurePolicy.KEEP


def settle_start(call: Invocation, request: PlanRequest) -> StartSettings:
    """What holds for a start of what was asked for.

    Raises:
        ConfigError: settings or the project's file say something impossible.
        PrismError: a file cannot be read.
    """
    from prismctl.planning import settle_settings

    settings = settle_settings(
        request, home=call.home, environment=os.environ, working_directory=Path.cwd()
    )
    port = settings["ports.dashboard"]
    return StartSettings(
        on_failure=FailurePolicy(settings["on_failure"].value),
        wait_seconds=settings["wait_timeout"].value,
        dashboard_port=None if port.is_default else port.value,
    )
