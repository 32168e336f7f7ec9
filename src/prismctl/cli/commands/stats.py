"""``prismctl dev stats``: what past starts took, and what of the last one was not as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Show what the last start of the stack took, part by part, beside what each part usually takes (the median of the "
    "ten starts before it), and which chain of services the whole waited for; then the ten newest starts. A start "
    "in which something failed is not among them.",
    short_help="Show what starts took.",
    examples=[
        ("prismctl dev stats", "the last start and those before it"),
        ("prismctl dev stats -o json | jq .last_start.critical_path", "what it waited for"),
    ],
)
def stats(call: Invocation) -> None:
    """Read the history and print it."""
    from prismctl.cli.start_reports import describe_starts

    document = describe_starts(call.home, call.paths)
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    _print(call, document)


def _print(call: Invocation, document: dict[str, Any]) -> None:
    from prismctl.domain.counting import count_of
    from prismctl.present.listing import table_lines
    from prismctl.present.start_report import report_lines
    from prismctl.present.units import render_duration

    report = document["last_start"]
    if report is None:
        call.write(f"stack `{document['stack']}` was never started here, or no start of it came up")
        return
    call.write_lines(report_lines(report, width=call.width))
    rows = [
        (
            start["started_at"][:19].replace("T", " "),
            render_duration(start["ready_seconds"]),
            start["engine"],
            start["origin"],
            count_of(len(start["services"]), "service"),
        )
        for start in document["starts"]
    ]
    header = ("STARTED (UTC)", "READY", "ENGINE", "SELECTION", "")
    call.write("")
    call.write_lines(table_lines(header, rows, width=call.width))
