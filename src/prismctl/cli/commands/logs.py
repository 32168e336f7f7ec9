"""``prismctl dev logs``: what services print, of a running stack or of one that has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_running
from prismctl.cli.numbers import LINES

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.cli.logstream import LogQuery

_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


@click.command(
    cls=Command,
    help="Show what services print, oldest first: one service, some, or all of them in order of time. "
    "A stopped stack's last logs are there, too. Following survives restarts and rotation; Ctrl-C ends it.",
    short_help="Show what services print.",
    examples=[
        ("prismctl dev logs", "all services, merged"),
        ("prismctl dev logs -f redis", "one service, as it prints"),
        ("prismctl dev logs --since 5m --level error", "what went wrong lately"),
        ("prismctl dev logs --grep 'timeout|refused' --tail 20", "the last 20 lines that match"),
        ("prismctl dev logs nomad", "an agent of the engine"),
    ],
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_running)
@option("-f", "--follow", is_flag=True, help="Go on with each line as it is printed.")
@option(
    "--tail",
    metavar="N",
    type=LINES,
    help="Only the last N lines of each service; with a filter, the last N that match.",
)
@option("--since", metavar="TIME", help="Only what is newer: `10s`, `5m`, `2h` or RFC 3339.")
@option("--grep", metavar="REGEX", help="Only lines that match.")
@option("--level", type=click.Choice(_LEVELS), help="Only lines of this level or worse.")
def logs(
    call: Invocation,
    *,
    services: tuple[str, ...],
    follow: bool,
    tail: int | None,
    since: str | None,
    grep: str | None,
    level: str | None,
) -> None:
    """Print log lines that pass the filters."""
    from prismctl.cli.logstream import LogQuery, known_log_sources, read_log_lines
    from prismctl.cli.moments import parse_since
    from prismctl.cli.naming import resolve_words

    known = known_log_sources(call.paths)
    query = LogQuery(
        services=resolve_words(services, known, stack=call.stack),
        follow=follow,
        tail=tail,
        since=parse_since(since) if since else None,
        pattern=_compile(grep) if grep else None,
        level=level,
    )
    lines = read_log_lines(call, query)
    if call.is_json:
        for entry in lines:
            call.write_json(entry)
        return
    _print(call, query, known, lines)


def _print(call: Invocation, query: LogQuery, known: list[str], lines: Any) -> None:
    from prismctl.present.loglines import LogPrinter

    names = query.services or known
    printer = LogPrinter(names, has_prefix=len(query.services) != 1, has_colour=call.has_colour)
    for entry in lines:
        call.write(printer.render(entry))
        if query.follow:
            call.flush()


def _compile(pattern: str) -> Any:
    import re

    from prismctl.errors import ConfigError, Problem

    try:
        return re.compile(pattern)
    except re.error as error:
        problem = Problem(message=f"--grep: `{pattern}` is not a regular expression: {error}")
        raise ConfigError(
            (problem,), hint="a backslash makes a special character literal"
        ) from error
