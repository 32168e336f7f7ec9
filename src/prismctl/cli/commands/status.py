"""``prismctl dev status``: the status document where somebody's program reads, a table where a person does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command
from prismctl.cli.stack import read_status

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Show how the stack is. A table on a terminal; the status document when the output is piped or "
    "with `-o json`. Exits 0 whenever the state could be read, also when nothing runs.",
    short_help="Show how the stack is.",
    examples=[
        ("prismctl dev status", "a table"),
        ("prismctl dev status | jq .state", "one word of the document"),
    ],
)
def status(call: Invocation) -> None:
    """Read the state once and print it."""
    document = read_status(call.paths)
    if call.is_json or (call.format is None and not call.is_on_terminal):
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    from prismctl.present.status import status_lines

    call.write_lines(status_lines(document, width=call.width))
