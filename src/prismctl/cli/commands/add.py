"""``prismctl dev add``: services beside those that run; `cli/stack_changes.py` does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_addable
from prismctl.cli.numbers import SECONDS

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Run more services in a stack that runs, and wait until they are healthy. What they need comes along; no other "
    "service is touched. What the stack was started with holds for them, too: its catalog, its profile, `--persist`.",
    short_help="Run more services in a stack that runs.",
    examples=[
        ("prismctl dev add redis", "one more"),
        ("prismctl dev add postgres nats", "two, side by side"),
        ("prismctl dev add api --services ./services.yaml", "from another catalog"),
        ("prismctl dev add redis --dry-run", "only show what would come"),
        ("prismctl dev add --list", "what there is to add"),
    ],
)
@click.argument("services", nargs=-1, metavar="SERVICE...", shell_complete=complete_addable)
@option(
    "--services",
    "catalog_file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Add from this catalog instead of the one that the stack was started from.",
)
@option(
    "--runtime",
    type=click.Choice(["auto", "container", "native"]),
    help="What runs a service that could be either; `auto` takes a container where one can be had.",
)
@option("--auto-ports", is_flag=True, help="Take a free port where one is taken, without asking.")
@option("--persist", is_flag=True, help="Keep their data for the next start.")
@option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait until they are healthy.",
)
@option("--dry-run", is_flag=True, help="Show what would be added and touch nothing.")
@option("--list", "lists", is_flag=True, help="Show what could be added and touch nothing.")
def add(
    call: Invocation,
    *,
    services: tuple[str, ...],
    catalog_file: str | None,
    runtime: str | None,
    auto_ports: bool,
    persist: bool,
    wait_timeout: float,
    dry_run: bool,
    lists: bool,
) -> None:
    """Hand what was typed over."""
    from prismctl.cli.stack_changes import AddOptions, add_services, list_additions, show_addition

    if lists == bool(services):
        raise click.UsageError("name services, or ask for `--list`, one of the two")
    options = AddOptions(
        words=services,
        catalog_file=catalog_file,
        runtime=runtime or "",
        has_auto_ports=auto_ports,
        persists=persist,
        wait_seconds=wait_timeout,
    )
    if lists:
        list_additions(call, options)
    elif dry_run:
        show_addition(call, options)
    else:
        add_services(call, options)
