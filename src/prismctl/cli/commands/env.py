"""``prismctl dev env``: endpoints and credentials in the form a shell or a tool reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.stack import open_stack
from prismctl.errors import ConfigError, Problem
from prismctl.present.environment import (
    FORMATS,
    NAMES_VARIABLE,
    can_unset,
    find_given,
    render_environment,
)

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Print endpoints and credentials of the running stack: REDIS_URL, DATABASE_URL, NATS_URL, KAFKA_BROKERS and "
    "PRISM_ADMIN where they run, NAME_HOST and NAME_PORT for every service with a port, and NOMAD_ADDR, NOMAD_TOKEN "
    "and CONSUL_HTTP_ADDR, so that `nomad` and `consul` typed by hand reach it. A service that is not healthy is "
    "listed as well. What an earlier call gave to the shell and is gone is unset.",
    short_help="Print endpoints and credentials for a shell.",
    examples=[
        ('eval "$(prismctl dev env)"', "in sh, bash or zsh"),
        ("prismctl dev env --format fish | source", "in fish"),
        ("prismctl dev env --format dotenv > .env", "for tools that read .env"),
        ("prismctl dev env --format direnv > .envrc", "for direnv, asked again each time"),
        (
            'eval "$(prismctl dev env --unset)"',
            "take all of it back, also of a stack that has stopped",
        ),
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
@option("--unset", is_flag=True, help="Only unset what an earlier call gave to this shell.")
def env(call: Invocation, *, form: str, unset: bool) -> None:
    """Print the variables of the running stack."""
    given = find_given(os.environ)
    if unset:
        if not can_unset(form):
            problem = Problem(message=f"--unset: format {form} has no word for it")
            raise ConfigError((problem,), hint="`--format sh` and `--format fish` do")
        gone = [*given, NAMES_VARIABLE] if given else []
        text = render_environment({}, form, stack=call.stack, gone=gone)
        if text:
            call.write(text)
        return
    variables = open_stack(call).environment()
    gone = sorted(set(given) - variables.keys())
    call.write(render_environment(variables, form, stack=call.stack, gone=gone))
