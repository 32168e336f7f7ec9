"""``prismctl dev doctor``: every fact that a start depends on, and with ``--fix`` the safe repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from prismctl.cli.command import Command, option
from prismctl.errors import ExitCode

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Check this machine and home: tools and their versions, ports, memory, disk, limits, network, "
    "permissions, what earlier runs left. Each line says what is, and what to type where it is not good. "
    "Exits 0 when nothing is a problem (✗); warnings (!) are none.",
    short_help="Check this machine and home.",
    examples=[
        ("prismctl dev doctor", "every check, with its reason and its fix"),
        ("prismctl dev doctor --fix", "mend what can be mended safely, then check again"),
        ("prismctl dev doctor -q", "only what is not good"),
        ("prismctl dev doctor -o json | jq .summary", "for a script"),
    ],
    has_stack=False,
)
@option(
    "--fix",
    is_flag=True,
    help="Mend what can be mended safely: permissions of home, leftovers of its stacks, "
    "missing directories, links to installed tools.",
)
def doctor(call: Invocation, *, fix: bool) -> None:
    """Look, mend if told to and look again; then say how it is."""
    from prismctl.cli.examination import examine_machine, mend
    from prismctl.install.checks.finding import State, render_findings

    findings = examine_machine(call)
    fixed: list[str] = []
    if fix and any(finding.repair is not None for finding in findings):
        fixed = mend(call, findings)
        findings = examine_machine(call)
    document = render_findings(findings, fixed)
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
    else:
        from prismctl.present.doctor import doctor_lines

        call.write_lines(doctor_lines(document, width=call.width, is_brief=call.is_quiet))
    if any(finding.state is State.PROBLEM for finding in findings):
        raise click.exceptions.Exit(ExitCode.FAILED)
