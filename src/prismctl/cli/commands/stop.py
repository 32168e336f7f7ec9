"""``prismctl dev stop``: reverse dependency order, nothing left behind; nothing running is fine, too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.stack import find_stack
from prismctl.cli.stopping import stop_stack, sweep_leftovers, sweep_lost
from prismctl.present.text import line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Stop the stack: services in reverse dependency order, then Nomad and Consul. "
    "Nothing is left running; when nothing runs, that is said.",
    short_help="Stop the stack; nothing is left running.",
    examples=[
        ("prismctl dev stop", "each service gets time to finish"),
        ("prismctl dev stop --kill", "without any grace"),
    ],
)
@option("--kill", is_flag=True, help="End everything at once.")
def stop(call: Invocation, *, kill: bool) -> None:
    """Take the stack down and say what was stopped."""
    began = time.monotonic()
    if find_stack(call.paths) is None:
        swept = [*sweep_lost(call), *sweep_leftovers(call.paths)]
        if call.is_json:
            call.write_json(
                {
                    "stack": call.stack,
                    "state": "stopped",
                    "stopped": [],
                    "swept": swept,
                    "notes": [],
                }
            )
            return
        call.write_lines(
            [
                *(line(f"swept {what}") for what in swept),
                line(
                    f"stopped what was left of stack {call.stack}. Nothing is left running."
                    if swept
                    else f"nothing is running in stack {call.stack}"
                ),
            ]
        )
        return
    stopped = stop_stack(call, kill=kill)
    if call.is_json:
        call.write_json(
            {
                "stack": call.stack,
                "state": "stopped",
                "stopped": [*stopped.services, *stopped.components],
                "seconds": round(time.monotonic() - began, 3),
                "swept": stopped.swept,
                "notes": stopped.notes,
            }
        )
        return
    from prismctl.present.banner import stopped_lines

    call.write_lines([line(note) for note in stopped.notes])
    call.write_lines([line(f"swept {what}") for what in stopped.swept])
    call.write_lines(
        stopped_lines(
            stack=call.stack,
            seconds=time.monotonic() - began,
            services=len(stopped.services),
            components=stopped.components,
            width=call.width,
        )
    )
