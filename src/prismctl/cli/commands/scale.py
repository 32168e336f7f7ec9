"""``prismctl dev scale``: another number of instances of one service; `cli/stack_changes.py` does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_scalable
from prismctl.cli.numbers import REPLICAS, SECONDS

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


class ScaleCommand(Command):
    """Takes a number below zero for a number, so that it is refused as one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with such a number behind a ``--``."""
        numbers = [word for word in args if re.fullmatch(r"-\d+", word)]
        if numbers and "--" not in args:
            args = [*(word for word in args if word not in numbers), "--", *numbers]
        return super().parse_args(ctx, args)


@click.command(
    cls=ScaleCommand,
    outlives_readers=True,
    help="Have a service run in so many instances, each with ports and data of its own. No other service is touched; "
    "the first instances stay, and the last go first. With 0 it stands still, and keeps its place in the stack.",
    short_help="Run a service in more or fewer instances.",
    examples=[
        ("prismctl dev scale web 3", "three of them"),
        ("prismctl dev scale redis 0", "none for now; `scale redis 1` has it back"),
    ],
)
@click.argument("service", metavar="SERVICE", shell_complete=complete_scalable)
@click.argument("replicas", metavar="NUMBER", type=REPLICAS)
@option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait until all instances are healthy.",
)
def scale(call: Invocation, *, service: str, replicas: int, wait_timeout: float) -> None:
    """Scale and follow until all instances are up, or gone."""
    from prismctl.cli.stack_changes import scale_service

    scale_service(call, service, int(replicas), wait_seconds=wait_timeout)
