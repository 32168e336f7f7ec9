"""A question to go on or not: what is about to happen, two keys, and how it ends where somebody does not agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.interrupts import Terminated, interruption_error
from prismctl.errors import ExitCode
from prismctl.present.question import Choice
from prismctl.present.text import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prismctl.cli.invocation import Invocation
    from prismctl.present.text import Line


def ask_for_agreement(
    call: Invocation, lines: Sequence[Line], *, yes: str, no: str, otherwise: str
) -> None:
    """Return when somebody at the terminal agrees; Enter does not.

    Args:
        call: whose terminal it is; it can be asked.
        lines: what would happen.
        yes: what the key ``y`` does.
        no: what the key ``n`` does.
        otherwise: what is said, and how things are, where nobody agrees.

    Raises:
        InterruptedByUserError: Ctrl-C or SIGTERM.
        click.exceptions.Exit: nobody agreed, and that was said.
    """
    from prismctl.cli.keypress import ask_for_key

    call.show([*lines, ()])
    try:
        answer = ask_for_key(call, (Choice("y", yes), Choice("n", no)), declining="n")
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(interrupt, f"interrupted; {otherwise}") from interrupt
    if answer != "y":
        call.show([line(otherwise)])
        raise click.exceptions.Exit(ExitCode.FAILED)
