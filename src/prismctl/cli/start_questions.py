"""What is open before a start, and asked where somebody can be asked: who shall run the services, and which.

Whatever a question can do without is loaded after it can be seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prismctl.cli.engine_guess import is_engine_open

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.start_options import StartOptions
    from prismctl.client import StartingDaemon


@dataclass(frozen=True, slots=True)
class Settled:
    """A start of which nothing is open any more."""

    options: StartOptions
    daemon: StartingDaemon | None = None
    """Came up while somebody chose."""
    began_at: float | None = None
    """When the last question was answered; ``None``: nobody was asked."""


def settle_questions(call: Invocation, options: StartOptions) -> Settled | None:
    """Ask what is open; ``None``: somebody decided to start nothing.

    Raises:
        PrismError: a file has mistakes, or an installation that was asked for failed.
        KeyboardInterrupt: somebody left in a hurry.
    """
    settled = Settled(options)
    if is_engine_open(call, options):
        from prismctl.cli.engine_question import ask_for_engine

        settled = Settled(ask_for_engine(call, options), began_at=time.time())
    # What can be told without loading what would ask.
    if options.is_choice_of_services or not (call.can_ask and call.is_on_terminal):
        return settled
    from prismctl.cli.choosing import is_choice_open, show_picker

    if not is_choice_open(call):
        return settled
    chosen = show_picker(call, settled.options)
    return chosen and Settled(chosen.options, chosen.daemon, time.time())
