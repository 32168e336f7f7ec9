"""``prismctl dev remove``: services out of a stack that runs; `cli/stack_changes.py` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_removable
from prismctl.cli.numbers import SECONDS

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Take services out of a stack that runs; no other service is touched, and their data stays. Where others need "
    "one of them, a terminal is asked whether they go as well; elsewhere that is refused without `--cascade`.",
    short_help="Take services out of a stack that runs.",
    examples=[
        ("prismctl dev remove redis", "one less"),
        ("prismctl dev remove postgres --cascade", "with what needs it"),
        ("prismctl dev remove api --with-dependencies", "with what came along only for it"),
    ],
)
@click.argument(
    "services", nargs=-1, required=True, metavar="SERVICE...", shell_complete=complete_removable
)
@option("--cascade", is_flag=True, help="Remove what needs them as well, without asking.")
@option(
    "--with-dependencies",
    is_flag=True,
    help="Remove what came along only for them as well.",
)
@option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait until nothing of them runs.",
)
def remove(
    call: Invocation,
    *,
    services: tuple[str, ...],
    cascade: bool,
    with_dependencies: bool,
    wait_timeout: float,
) -> None:
    """Hand what was typed over."""
    from prismctl.cli.stack_changes import remove_services

    remove_services(
        call,
        services,
        cascades=cascade,
        takes_dependencies=with_dependencies,
        wait_seconds=wait_timeout,
    )
