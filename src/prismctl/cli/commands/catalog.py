"""``prismctl dev catalog``: what can be started, whether it is written correctly, and how it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, Entry, Group, option
from prismctl.cli.completion import complete_services
from prismctl.domain.counting import count_of
from prismctl.present.text import Span, Tone, line

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.offering import Catalog
    from prismctl.errors import PrismError

catalog = Group(
    "catalog",
    entries={
        "list": Entry(f"{__name__}:list_services", "List what can be started."),
        "show": Entry(f"{__name__}:show", "Show all that the catalog says about a service."),
        "validate": Entry(f"{__name__}:validate", "Check a catalog without starting anything."),
        "schema": Entry(f"{__name__}:schema", "Print the JSON Schema of catalogs."),
        "import": Entry(
            f"{__name__}:import_file", "Bring a compose file or a Procfile into the catalog."
        ),
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
        (
            "prismctl dev catalog import compose.yaml --dry-run",
            "what a compose file would be here",
        ),
    ],
)

_FILE_OPTION = option(
    "--services",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="This catalog instead of home's and the project's.",
)


@click.command(
    "list",
    cls=Command,
    help="List what can be started: everything, or what has each WORD in its name, a tag or its description.",
    short_help="List what can be started.",
    examples=[
        ("prismctl dev catalog list", "a table"),
        ("prismctl dev catalog list sql", "what is found by a word"),
        ("prismctl dev catalog list -o json | jq -r '.services[].name'", "the names"),
    ],
    has_stack=False,
)
@click.argument("words", metavar="[WORD]...", nargs=-1)
@_FILE_OPTION
def list_services(call: Invocation, words: tuple[str, ...], file: str | None) -> None:
    """Print the services of the catalog, or those that have every word."""
    from prismctl.present.catalog import catalog_lines, render_catalog_list

    catalog = read_catalog_for_reading(call, file)
    found = catalog.matching(words)
    if words and not found.services:
        raise _nothing_found(words, catalog)
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
    help="Check a catalog without starting anything: home's with the services of the project file one stands below, "
    "or a file. All mistakes are listed with file, line and column; exits 2 when there are any.",
    short_help="Check a catalog without starting anything.",
    examples=[
        ("prismctl dev catalog validate", "home's catalog, and what a prism.yaml adds to it"),
        ("prismctl dev catalog validate services.yaml", "a file"),
    ],
    has_stack=False,
)
@click.argument("file", metavar="[FILE]", type=click.Path(dir_okay=False), required=False)
def validate(call: Invocation, file: str | None) -> None:
    """Read the catalog and say that it is fine, if it is, and what may not have been meant."""
    from prismctl.domain.absent_dependencies import find_absent_dependencies
    from prismctl.domain.port_clashes import check_default_ports
    from prismctl.errors import ConfigError
    from prismctl.files.text import name_for_people
    from prismctl.present.problems import note_lines, render_problem

    try:
        found = read_catalog_for_reading(call, file)
        check_default_ports(found)
    except ConfigError as error:
        from prismctl.domain.catalog import is_validate_hint

        # Whoever runs this very command need not be told to.
        hints = error.hint.splitlines()
        error.hint = "\n".join(each for each in hints if not is_validate_hint(each))
        raise
    notes = find_absent_dependencies(found)
    is_there = bool(file or found.sources or not found.is_generated) or call.home.catalog.exists()
    if call.is_json:
        call.write_json(
            {
                "valid": True,
                "file": found.file,
                "exists": is_there,
                "services": len(found.services),
                "notes": [render_problem(each) for each in notes],
            }
        )
        return
    count = count_of(len(found.services), "service")
    if is_there:
        valid = line(Span(found.file, Tone.STRONG), f" is valid: {count}")
        call.write_lines([valid, *note_lines(notes)])
    else:
        call.write_lines(
            [
                line(
                    "there is no ",
                    Span(name_for_people(call.home.catalog), Tone.STRONG),
                    f" yet; what ships is valid: {count}",
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
    from prismctl.domain.catalog_keys import catalog_schema

    call.write_json(catalog_schema(), is_pretty=True)


@click.command(
    "import",
    cls=Command,
    outlives_readers=True,
    help="Bring the services of a compose file or a Procfile into the catalog; which of the two it is, is seen by what "
    "is in it. Everything else in the catalog stays as it is, comments included, and it is written whole or not at "
    "all. What cannot be taken over is listed with its place and the reason; then the exit code is 7. Addresses of "
    "services of the file (`redis:6379`) become references (`${redis.host}:${redis.port}`). Where the catalog has "
    "services of these names, a terminal is asked; elsewhere --yes replaces them.",
    short_help="Bring a compose file or a Procfile into the catalog.",
    examples=[
        ("prismctl dev catalog import compose.yaml --dry-run", "only show the entries"),
        ("prismctl dev catalog import compose.yaml", "into home's catalog"),
        (
            "prismctl dev catalog import docker-compose.yml --into services.yaml",
            "into a catalog of the repository's own",
        ),
        ("prismctl dev catalog import Procfile --into prism.yaml", "into the project file"),
        (
            "prismctl dev catalog import compose.yaml --dry-run -o json",
            "what is left out, for a program",
        ),
    ],
    has_stack=False,
)
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@option(
    "--into",
    metavar="CATALOG",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The catalog, or a `prism.yaml`; made where it is not there. Home's otherwise.",
)
@option("--dry-run", is_flag=True, help="Show the entries and write nothing.")
def import_file(call: Invocation, *, file: Path, into: Path | None, dry_run: bool) -> None:
    """Translate the file and write the catalog."""
    from prismctl.cli.importing import import_services

    import_services(call, file, into=into, is_trial=dry_run)


def _nothing_found(words: tuple[str, ...], catalog: Catalog) -> PrismError:
    from prismctl.domain.problems import nearest_name, shorten
    from prismctl.errors import PrismError

    shown = " and ".join(f"`{shorten(word)}`" for word in words)
    nearest = nearest_name(words[0], catalog.known_words) if len(words) == 1 else ""
    guess = f"; did you mean `{nearest}`?" if nearest else ""
    return PrismError(
        f"no service has {shown} in its name, tags or description{guess}",
        hint="`prismctl dev catalog list` shows all of them",
    )


def read_catalog_for_reading(call: Invocation, file: str | None) -> Catalog:
    """The named catalog, else what a start from here would choose from: home's, with what a project adds.

    A home without a catalog is not given one for being looked at.
    """
    from prismctl.files.catalog import load_catalog
    from prismctl.files.paths import PROJECT_FILE_NAME, find_project_file
    from prismctl.files.project import load_project_catalog, load_project_file

    named = Path(file).absolute() if file else None
    if named is not None and named.name != PROJECT_FILE_NAME:
        return load_catalog(call.home, named)
    path = named or find_project_file(Path.cwd())
    project = load_project_file(path) if path else None
    found = load_project_catalog(call.home, project, creates=False)
    if project is None or not project.has_services:
        return found
    below = found.sources or (found.file,)
    return replace(
        found, file=f"{found.file} + {project.file.name}", sources=(*below, project.file.name)
    )
