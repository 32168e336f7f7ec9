"""``prismctl dev env``: endpoints and credentials in the form a shell or a tool reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.stack import open_stack
from prismctl.present.environment import FORMATS, render_environment

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Print endpoints and credentials of the running stack, NOMAD_ADDR, NOMAD_TOKEN and CONSUL_HTTP_ADDR "
    "included, so that `nomad` and `consul` typed by hand reach it.",
    short_help="Print endpoints and credentials for a shell.",
    examples=[
        ('eval "$(prismctl dev env)"', "in sh, bash or zsh"),
        ("prismctl dev env --format fish | source", "in fish"),
        ("prismctl dev env --format dotenv > .env", "for tools that read .env"),
        ("prismctl dev env --format direnv > .envrc", "for direnv, asked again each time"),
    ],
    has_output=False,
)
@option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="sh",
    show_default=True,
    help="For whom it is written.",
)
def env(call: Invocation, form: str) -> None:
    """Print the variables of the running stack."""
    variables = open_stack(call).environment()
    call.write(render_environment(variables, form, stack=call.stack))
