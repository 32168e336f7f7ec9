"""The flags that say which services are meant, for every command that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import option
from prismctl.cli.completion import complete_presets, complete_profiles, complete_services

if TYPE_CHECKING:
    from collections.abc import Callable


def selection_flags(section: str) -> Callable[[Any], Any]:
    """Declare ``--preset``, ``--profile``, ``--with``, ``--without`` and ``--services`` in a section of the help."""
    declarations = (
        option(
            "--preset",
            metavar="NAME",
            section=section,
            shell_complete=complete_presets,
            help="minimal, redis, messaging, postgres, full or random.",
        ),
        option(
            "--profile",
            metavar="NAME|FILE",
            section=section,
            shell_complete=complete_profiles,
            help="What a profile names, with its settings for each service.",
        ),
        option(
            "--with",
            "with_services",
            metavar="NAME",
            multiple=True,
            section=section,
            shell_complete=complete_services,
            help="Add a service; also `--with-NAME`. Can be repeated.",
        ),
        option(
            "--without",
            "without_services",
            metavar="NAME",
            multiple=True,
            section=section,
            shell_complete=complete_services,
            help="Leave a service out. Can be repeated.",
        ),
        option(
            "--services",
            "catalog_file",
            metavar="FILE",
            section=section,
            type=click.Path(dir_okay=False),
            help="Use this catalog for this call instead of home's.",
        ),
    )

    def declare(command: Any) -> Any:
        # Click lists options in the order in which they are written above a function: the last one is declared first.
        for each in reversed(declarations):
            command = each(command)
        return command

    return declare
