"""``prismctl dev profiles``: what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="List the saved profiles: what each starts, and when it last did. One that has mistakes is listed with their number.",
    short_help="List the saved profiles.",
    examples=[
        ("prismctl dev profiles", "a table"),
        ("prismctl dev profiles -o json | jq -r '.profiles[].name'", "the names"),
    ],
    has_stack=False,
)
def profiles(call: Invocation) -> None:
    """Print what there is."""
    from prismctl.cli.profile_listing import describe_profiles
    from prismctl.present.profiles import list_lines

    document = describe_profiles(call)
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
    else:
        call.write_lines(list_lines(document, width=call.width))
