"""``prismctl dev status``: the status document where somebody's program reads, a table where a person does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
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
        (
            "prismctl dev status --show-secrets",
            "with the addresses of services, passwords included",
        ),
    ],
)
@option(
    "--show-secrets",
    is_flag=True,
    help="Add the addresses of each service with the credentials that they take.",
)
def status(call: Invocation, *, show_secrets: bool) -> None:
    """Read the state once and print it."""
    document = read_status(call.paths, shows_secrets=show_secrets)
    if call.is_json or (call.format is None and not call.is_on_terminal):
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    from prismctl.present.status import endpoint_lines, status_lines

    call.write_lines(status_lines(document, width=call.width))
    if show_secrets:
        call.write_lines(endpoint_lines(document))
