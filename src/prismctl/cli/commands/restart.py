"""``prismctl dev restart``: the whole stack, or some services; data stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_running
from prismctl.cli.numbers import SECONDS

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Restart the whole stack, or the named services, and wait until they are healthy again. "
    "Their data stays.",
    short_help="Restart the whole stack, or some services.",
    examples=[
        ("prismctl dev restart", "everything"),
        ("prismctl dev restart redis", "one service"),
    ],
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_running)
@option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait until all is healthy again.",
)
def restart(call: Invocation, *, services: tuple[str, ...], wait_timeout: float) -> None:
    """Restart and follow until it is up."""
    from prismctl.cli.endings import conclude
    from prismctl.cli.following import follow
    from prismctl.cli.interrupts import Terminated, interruption_error
    from prismctl.cli.naming import resolve_words
    from prismctl.cli.narrators import choose_narrator
    from prismctl.cli.stack import open_stack
    from prismctl.present.progress import begin_progress

    began_at = time.time()
    client = open_stack(call)
    status = client.status()
    dependencies = {each["name"]: each["depends_on"] for each in status["services"]}
    names = resolve_words(services, dependencies, stack=call.stack)
    watched = {
        name: [needed for needed in needs if not names or needed in names]
        for name, needs in dependencies.items()
        if not names or name in names
    }
    try:
        with choose_narrator(call, began_at=began_at) as narrator:
            outcome = follow(
                client.restart(names),
                narrator=narrator,
                progress=begin_progress(watched),
                deadline=time.monotonic() + wait_timeout,
                read_status=client.status,
            )
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise interruption_error(
            interrupt,
            "let go; the restart goes on by itself",
            hint="`prismctl dev wait` waits for it",
        ) from interrupt
    conclude(
        call,
        client,
        outcome,
        seconds=wait_timeout,
        done=f"restarted {', '.join(names) or 'everything'}",
        took=time.time() - began_at,
    )
