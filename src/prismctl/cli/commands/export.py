"""``prismctl dev export``: what somebody else needs to see what is wrong with a stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.cli.numbers import LINES
from prismctl.errors import ConfigError, ExitCode, Problem

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.domain.bundle import Bundle


@click.command(
    cls=Command,
    help="Write one file to attach to a bug report: the plan, the states, the last lines of every log, events, starts, "
    "settings, versions, what doctor finds. It is a page that any browser shows without a network, and it has the same as "
    "JSON inside. Secrets are removed: those that the catalog marks, passwords and tokens of the stack, and what looks like "
    "one by its name. Works on a stopped stack, too. A part that cannot be had says why (exit code 7).",
    short_help="Write one file for a bug report.",
    examples=[
        ("prismctl dev export --bundle stack.html", "a page to look at and to attach"),
        ("prismctl dev export --bundle stack.html --tail 5000", "with more of the logs"),
        (
            "prismctl dev export --bundle - -o json | jq .parts.status",
            "as JSON, on standard output",
        ),
    ],
)
@option(
    "--bundle",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=str),
    help="Where to write it; `-` is standard output.",
)
@option("--tail", metavar="N", type=LINES, help="So many lines of each log; 500 otherwise.")
def export(call: Invocation, *, file: str, tail: int | None) -> None:
    """Gather it, and write it whole."""
    from prismctl.cli.bundling import LOG_LINES, gather_bundle
    from prismctl.domain.bundle import render_bundle

    target = None if file == "-" else Path(file)
    if target is not None:
        _refuse_overwriting(call, target)
    bundle = gather_bundle(call, log_lines=LOG_LINES if tail is None else tail)
    document = render_bundle(bundle)
    if target is None and call.is_json:
        call.write_json(document)
    else:
        from prismctl.present.bundle_page import bundle_page

        page = bundle_page(document)
        if target is None:
            call.write(page)
        else:
            _write(call, target, page, bundle)
    if bundle.problems:
        raise click.exceptions.Exit(ExitCode.PARTIAL)


def _refuse_overwriting(call: Invocation, target: Path) -> None:
    """Keep what is there, unless it is a bundle, or somebody says that it may go.

    Raises:
        ConfigError: something else is there.
    """
    from prismctl.present.bundle_page import BUNDLE_MARK

    if call.is_confirmed or not target.exists():
        return
    try:
        with target.open(encoding="utf-8", errors="replace") as opened:
            is_bundle = BUNDLE_MARK in opened.read()
    except OSError:
        is_bundle = False
    if not is_bundle:
        raise ConfigError(
            (Problem(message=f"{target} exists, and is no bundle"),),
            hint="choose another name, or add --yes to replace it",
        )


def _write(call: Invocation, target: Path, page: str, bundle: Bundle) -> None:
    from prismctl.files.atomic import write_atomically
    from prismctl.files.text import name_for_people
    from prismctl.present.text import Span, Tone, line
    from prismctl.present.units import render_bytes

    write_atomically(target, page)
    shown, size = name_for_people(target), render_bytes(len(page.encode()))
    if call.is_json:
        call.write_json({"schema": 1, "file": str(target.resolve()), "problems": bundle.problems})
        return
    if not call.is_quiet:
        call.write(f"wrote {shown} ({size}); look through it before you share it")
    call.report(line("  ", Span("! ", Tone.BUSY), problem) for problem in bundle.problems)
