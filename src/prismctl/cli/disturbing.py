"""A start over a stack that runs and has something else in it: asked about before anything of that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prismctl.cli.agreement import ask_for_agreement
from prismctl.domain.disturbance import is_felt
from prismctl.present.disturbance import disturbance_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.disturbance import Disturbance


def confirm_disturbances(
    call: Invocation,
    disturbances: Sequence[Disturbance],
    services: Iterable[Mapping[str, Any]],
) -> bool:
    """Ask where something that is well would end and somebody can be asked; whether they were, and have read it all.

    Raises:
        InterruptedByUserError: Ctrl-C or SIGTERM.
        click.exceptions.Exit: everything stays as it is.
    """
    if call.is_confirmed or not call.can_ask or not is_felt(disturbances, services):
        return False
    ask_for_agreement(
        call,
        disturbance_lines(disturbances, width=call.width),
        yes="change it",
        no="leave everything as it is",
        otherwise="nothing was changed",
    )
    return True
