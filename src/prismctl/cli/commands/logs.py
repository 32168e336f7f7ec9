"""``prismctl dev logs``: what services print, of a running stack or of one that has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command, option
from prismctl.cli.completion import complete_running
from prismctl.cli.numbers import LINES
from prismctl.files.log_line import SKIPPED, read_skip
from prismctl.present.text import Span, Tone, clean, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prismctl.cli.invocation import Invocation
    from prismctl.cli.logstream import LogQuery
    from prismctl.errors import ConfigError

_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")


@click.command(
    cls=Command,
    help="Show what services print, oldest first: one service, some, or all of them in order of time. "
    "A stopped stack's last logs are there, too. Following survives restarts, rotation and the daemon's end; Ctrl-C ends it. "
    "On a terminal, lines of JSON are made readable; values that the catalog marks as secrets are never shown.",
    short_help="Show what services print.",
    examples=[
        ("prismctl dev logs", "all services, merged"),
        ("prismctl dev logs -f redis", "one service, as it prints"),
        ("prismctl dev logs --since 5m --level error", "what went wrong lately"),
        ("prismctl dev logs --grep 'timeout|refused' --tail 20", "the last 20 lines that match"),
        ("prismctl dev logs nomad", "an agent of the engine"),
        ("prismctl dev logs redis --pager", "in $PAGER; --editor takes $EDITOR"),
        ("prismctl dev logs -f -o json", "one object a line: level, fields, sequence"),
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
@option("--raw", is_flag=True, help="Lines as they were printed: JSON as JSON, long lines whole.")
@option("--pager", is_flag=True, help="Show it in $PAGER.")
@option("--editor", is_flag=True, help="Open it in $EDITOR.")
def logs(
    call: Invocation,
    *,
    services: tuple[str, ...],
    follow: bool,
    tail: int | None,
    since: str | None,
    grep: str | None,
    level: str | None,
    raw: bool,
    pager: bool,
    editor: bool,
) -> None:
    """Print log lines that pass the filters."""
    from prismctl.cli.logstream import LogQuery, known_log_sources, read_log_bundles
    from prismctl.cli.moments import parse_since
    from prismctl.cli.naming import resolve_words

    if follow and (pager or editor):
        raise _refuse_following("--pager" if pager else "--editor")
    known = known_log_sources(call.paths)
    query = LogQuery(
        services=resolve_words(services, known, stack=call.stack),
        follow=follow,
        tail=tail,
        since=parse_since(since) if since else None,
        pattern=_compile(grep) if grep else None,
        level=level,
    )
    texts = _render(call, query, known, read_log_bundles(call, query), is_raw=raw)
    if editor:
        from prismctl.cli.paging import edit

        edit(texts, f"{'-'.join(query.services) or 'logs'}.log")
    elif pager and call.is_on_terminal:
        from prismctl.cli.paging import page

        page(texts)
    else:
        for text in texts:
            call.write(text.removesuffix("\n"))
            if follow:
                call.flush()


def _render(
    call: Invocation,
    query: LogQuery,
    known: list[str],
    bundles: Iterator[list[dict[str, Any]]],
    *,
    is_raw: bool,
) -> Iterator[str]:
    """Whole lines, several at once: one by one, writing them would take longer than all the rest."""
    if call.is_json:
        from prismctl.present.json_text import render_json
        from prismctl.present.structured_logs import describe

        for bundle in bundles:
            documents = (
                {**entry, **describe(str(entry["text"])), **_describe_skip(entry)}
                for entry in bundle
            )
            yield "".join(f"{render_json(each)}\n" for each in documents)
        return
    from prismctl.present.loglines import LogPrinter

    printer = LogPrinter(
        query.services or known,
        has_prefix=len(query.services) != 1,
        has_colour=call.has_colour,
        is_readable=call.is_on_terminal and not is_raw,
        is_exact=is_raw and not call.is_on_terminal,
    )
    for bundle in bundles:
        # As good as never is anything missing, and a look at each line costs time.
        if all(entry["stream"] != SKIPPED for entry in bundle):
            yield "".join(f"{printer.render(entry)}\n" for entry in bundle)
            continue
        for entry in bundle:
            if entry["stream"] != SKIPPED:
                yield f"{printer.render(entry)}\n"
                continue
            # Not among the lines, where it would look like one that was printed.
            call.flush()
            call.show([line(Span(f"{_source_of(entry)}: {entry['text']}", Tone.BUSY))])


def _source_of(entry: dict[str, Any]) -> str:
    replica = int(entry.get("replica") or 0)
    return f"{clean(str(entry['service']))}#{replica}" if replica else clean(str(entry["service"]))


def _describe_skip(entry: dict[str, Any]) -> dict[str, Any]:
    """What a line adds that says how much is missing."""
    skip = read_skip(entry)
    return {} if skip is None else {"skipped": skip, "level": "warn"}


def _refuse_following(option_name: str) -> ConfigError:
    from prismctl.errors import ConfigError, Problem

    problem = Problem(message=f"{option_name} shows what there is, and `--follow` never ends")
    return ConfigError((problem,), hint="leave one of them out; in `less`, F waits for more")


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
