"""A start over a stack that runs and has something else in it: asked about before anything of that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.domain.disturbance import is_felt
from prismctl.errors import ExitCode
from prismctl.present.disturbance import disturbance_lines
from prismctl.present.question import Choice
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from prismctl.cli.invocation import Invocation
    from prismctl.domain.disturbance import Disturbance

_UNCHANGED: Final = "nothing was changed"
_CHOICES: Final = (Choice("y", "change it"), Choice("n", "leave everything as it is"))


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
    from prismctl.cli.keypress import ask_for_key

    call.show([*disturbance_lines(disturbances, width=call.width), ()])
    try:
        answer = ask_for_key(call, _CHOICES, declining="n")
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(interrupt, f"interrupted; {_UNCHANGED}") from interrupt
    if answer != "y":
        call.show([line(_UNCHANGED)])
        raise click.exceptions.Exit(ExitCode.FAILED)
    return True
