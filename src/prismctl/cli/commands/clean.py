"""``prismctl dev clean``: stops everything and removes what prismctl has made, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    outlives_readers=True,
    help="Stop every stack of this home and remove its state: run, cache, downloads, history, crashes. The catalog, "
    "profiles, settings and installed tools stay; with `--all` they go as well, with the images and packages that "
    "were brought for this home. Whatever prismctl has not made stays, and is named. Asks first; where nobody can be "
    "asked, it needs `--yes`.",
    short_help="Stop every stack and remove what prismctl has made.",
    examples=[
        ("prismctl dev clean --dry-run", "every path and its size; nothing is touched"),
        ("prismctl dev clean", "all state; catalog, profiles and tools stay"),
        ("prismctl dev clean --all --yes", "everything, as before the first init"),
    ],
    has_stack=False,
)
@option("--dry-run", is_flag=True, help="Show what would be removed and touch nothing.")
@option(
    "--all",
    "is_all",
    is_flag=True,
    help="Also tools, images, packages, catalog, profiles and settings.",
)
def clean(call: Invocation, *, dry_run: bool, is_all: bool) -> None:
    """Remove what was agreed to."""
    from prismctl.cli.cleaning import clean_home

    clean_home(call, is_all=is_all, is_trial=dry_run)
