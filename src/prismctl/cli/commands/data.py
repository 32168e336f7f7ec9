"""``prismctl dev data``: what services have stored, emptied, copied and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, Entry, Group, option
from prismctl.cli.completion import complete_data, complete_previous, complete_snapshots
from prismctl.cli.numbers import SECONDS

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation

data = Group(
    "data",
    entries={
        "list": Entry(
            f"{__name__}:list_data", "List what services have stored, and the snapshots."
        ),
        "reset": Entry(f"{__name__}:reset", "Let services start without data."),
        "snapshot": Entry(f"{__name__}:snapshot", "Copy the data of services."),
        "restore": Entry(f"{__name__}:restore", "Put data back."),
    },
    help="Keep, copy and empty what services store. A start is a clean slate unless a service persists; what it "
    "discards is put aside until the next one, and can be had back.",
    short_help="Keep, copy and empty what services store.",
    examples=[
        ("prismctl dev data list", "what there is, with sizes and ages"),
        ("prismctl dev data snapshot --name before-migration", "a copy of everything"),
        ("prismctl dev data restore --name before-migration", "back to it"),
        ("prismctl dev data restore --previous", "what the last start or reset put aside"),
    ],
)

_WAIT_OPTION = option(
    "--wait-timeout",
    metavar="DURATION",
    type=SECONDS,
    default=60.0,
    show_default=True,
    help="How long to wait until what runs is healthy again.",
)


@click.command(
    "list",
    cls=Command,
    help="List what services have stored, and the snapshots, with sizes and ages.",
    short_help="List what services have stored, and the snapshots.",
    examples=[
        ("prismctl dev data list", "a table"),
        (
            "prismctl dev data list -o json | jq -r '.snapshots[].name'",
            "the names of the snapshots",
        ),
    ],
)
def list_data(call: Invocation) -> None:
    """Print what there is."""
    from prismctl.cli.data_listing import describe_data
    from prismctl.present.data import list_lines

    document = describe_data(call)
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
    else:
        call.write_lines(list_lines(document, width=call.width))


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Let services start without data. What they have is put aside: `restore --previous` brings it back, until "
    "the next reset, restore or fresh start. A service that runs is stopped and started again, and what depends on it "
    "runs on and loses it for a moment: a terminal is asked whether that may be, everywhere else it needs `--yes`.",
    short_help="Let services start without data.",
    examples=[
        ("prismctl dev data reset redis", "an empty Redis"),
        ("prismctl dev data reset redis postgres", "two services"),
    ],
)
@click.argument(
    "services", nargs=-1, required=True, metavar="SERVICE...", shell_complete=complete_data
)
@_WAIT_OPTION
def reset(call: Invocation, *, services: tuple[str, ...], wait_timeout: float) -> None:
    """Empty them."""
    from prismctl.cli.data_changes import reset_data

    reset_data(call, services, wait_seconds=wait_timeout)


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Copy the data of services, or of all that have some, to `snapshots` in home. Where the file system can, "
    "the copy takes no room until something changes. A service that runs is stopped for the copy and started again: "
    "a terminal is asked whether that may be, everywhere else it needs `--yes`. A stack has 20 snapshots at most; one "
    "more takes the place of the oldest, which is asked about in the same way.",
    short_help="Copy the data of services.",
    examples=[
        ("prismctl dev data snapshot", "everything; its name is the time"),
        ("prismctl dev data snapshot postgres --name seeded", "one service, under a name"),
        ("prismctl dev data snapshot --yes", "in a script"),
    ],
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_data)
@option("--name", metavar="NAME", shell_complete=complete_snapshots, help="What to call it.")
@_WAIT_OPTION
def snapshot(
    call: Invocation, *, services: tuple[str, ...], name: str | None, wait_timeout: float
) -> None:
    """Copy it."""
    from prismctl.cli.data_changes import take_snapshot

    take_snapshot(call, services, name=name or "", wait_seconds=wait_timeout)


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Put the data of services back: of the newest snapshot, of the one with a name, or what the last reset, "
    "restore or fresh start put aside. Without services, all that there is such data of. What they have now is put "
    "aside, so `restore --previous` undoes it. A service that runs is stopped and started again: a terminal is asked "
    "whether that may be, everywhere else it needs `--yes`. Data that is put back while the stack is stopped is kept by the next start.",
    short_help="Put data back.",
    examples=[
        ("prismctl dev data restore", "the newest snapshot"),
        ("prismctl dev data restore postgres --name seeded", "one service of a snapshot"),
        ("prismctl dev data restore redis --previous", "what the last start discarded"),
    ],
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_previous)
@option("--name", metavar="NAME", shell_complete=complete_snapshots, help="Of this snapshot.")
@option("--previous", is_flag=True, help="What was put aside, instead of a snapshot.")
@_WAIT_OPTION
def restore(
    call: Invocation,
    *,
    services: tuple[str, ...],
    name: str | None,
    previous: bool,
    wait_timeout: float,
) -> None:
    """Put it back."""
    from prismctl.cli.data_changes import restore_data

    restore_data(call, services, name=name or "", is_previous=previous, wait_seconds=wait_timeout)
