"""``prismctl dev events``: what happened, one JSON object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.stack import find_stack, read_saved_events

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Show what happened to the stack, one JSON object a line, oldest first. "
    "Works on a stopped stack, too: its last events are kept.",
    short_help="Show what happened to the stack.",
    examples=[
        ("prismctl dev events", "all of this run"),
        ("prismctl dev events -f", "and each as it happens"),
        ("prismctl dev events -o text", "in words"),
    ],
)
@option("-f", "--follow", is_flag=True, help="Go on with each event as it happens.")
def events(call: Invocation, *, follow: bool) -> None:
    """Print the events of the stack."""
    client = find_stack(call.paths)
    stream = client.events(follow=follow) if client else read_saved_events(call.paths)
    is_text = call.format is not None and not call.is_json
    for event in stream:
        if not is_text:
            call.write_json(event)
            continue
        from prismctl.present.events import timed_event_line

        call.write_lines([timed_event_line(event)])
