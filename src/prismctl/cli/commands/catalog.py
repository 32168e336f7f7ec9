"""``prismctl dev catalog``: what can be started, whether it is written correctly, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, Entry, Group, option
from prismctl.cli.completion import complete_services
from prismctl.present.text import Span, Tone, line
from prismctl.present.units import count_of

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.offering import Catalog

catalog = Group(
    "catalog",
    entries={
        "list": Entry(f"{__name__}:list_services", "List what can be started."),
        "show": Entry(f"{__name__}:show", "Show all that the catalog says about a service."),
        "validate": Entry(f"{__name__}:validate", "Check a catalog without starting anything."),
        "schema": Entry(f"{__name__}:schema", "Print the JSON Schema of catalogs."),
    },
    help="See what can be started. The catalog is `services.yaml` in home, generated once and yours from then on.",
    short_help="See what can be started.",
    examples=[
        ("prismctl dev catalog list", "everything that can be started"),
        ("prismctl dev catalog show redis", "one service"),
        (
            "prismctl dev catalog validate my-services.yaml",
            "all mistakes at once, with their places",
        ),
    ],
)

_FILE_OPTION = option(
    "--services",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="This catalog instead of home's.",
)


@click.command(
    "list",
    cls=Command,
    help="List what can be started.",
    examples=[
        ("prismctl dev catalog list", "a table"),
        ("prismctl dev catalog list -o json | jq -r '.services[].name'", "the names"),
    ],
    has_stack=False,
)
@_FILE_OPTION
def list_services(call: Invocation, file: str | None) -> None:
    """Print the services of the catalog."""
    from prismctl.present.catalog import catalog_lines, render_catalog_list

    found = read_catalog_for_reading(call, file)
    if call.is_json:
        call.write_json(render_catalog_list(found), is_pretty=call.is_on_terminal)
    else:
        call.write_lines(catalog_lines(found, width=call.width))


@click.command(
    cls=Command,
    help="Show all that the catalog says about a service.",
    examples=[("prismctl dev catalog show redis", "ports, health check, how it is run")],
    has_stack=False,
)
@click.argument("service", metavar="SERVICE", shell_complete=complete_services)
@_FILE_OPTION
def show(call: Invocation, service: str, file: str | None) -> None:
    """Print one service of the catalog."""
    from prismctl.cli.naming import resolve_words
    from prismctl.domain.service import ServiceName
    from prismctl.present.catalog import render_service, service_lines

    found = read_catalog_for_reading(call, file)
    (name,) = resolve_words(
        [service], found.names, hint="`prismctl dev catalog list` shows the names"
    )
    definition = found.services[ServiceName(name)]
    if call.is_json:
        call.write_json(render_service(definition), is_pretty=call.is_on_terminal)
    else:
        call.write_lines(service_lines(definition, width=call.width))


@click.command(
    cls=Command,
    help="Check a catalog without starting anything: home's, or a file. All mistakes are listed with "
    "file, line and column; exits 2 when there are any.",
    short_help="Check a catalog without starting anything.",
    examples=[
        ("prismctl dev catalog validate", "home's catalog"),
        ("prismctl dev catalog validate services.yaml", "a file"),
    ],
    has_stack=False,
)
@click.argument("file", metavar="[FILE]", type=click.Path(dir_okay=False), required=False)
def validate(call: Invocation, file: str | None) -> None:
    """Read the catalog and say that it is fine, if it is."""
    found = read_catalog_for_reading(call, file)
    if call.is_json:
        call.write_json({"valid": True, "file": found.file, "services": len(found.services)})
        return
    call.write_lines(
        [
            line(
                Span(found.file, Tone.STRONG),
                f" is valid: {count_of(len(found.services), 'service')}",
            )
        ]
    )


@click.command(
    cls=Command,
    help="Print the JSON Schema of catalogs, for editors and checkers.",
    short_help="Print the JSON Schema of catalogs.",
    examples=[("prismctl dev catalog schema > services.schema.json", "for an editor")],
    has_stack=False,
    has_output=False,
)
def schema(call: Invocation) -> None:
    """Print the schema."""
    from prismctl.domain.catalog import catalog_schema

    call.write_json(catalog_schema(), is_pretty=True)


def read_catalog_for_reading(call: Invocation, file: str | None) -> Catalog:
    """The named catalog, else home's; a home without one is not given one for being looked at."""
    from prismctl.files.catalog import load_catalog

    return load_catalog(call.home, Path(file).absolute() if file else None, creates=False)
