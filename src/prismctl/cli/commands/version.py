"""``prismctl dev version``: every tool with its version, its path, who brought it and whether it will do."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl.cli.command import Command

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation


@click.command(
    cls=Command,
    help="Show the versions of all tools: prismctl, Python, Nomad, Consul and Podman, Go where it builds them, and Java "
    "where it is; each with the versions that work, its path, who brought it, and whether it will do. "
    "`prismctl --version` says only the first.",
    short_help="Show the versions of all tools.",
    examples=[
        ("prismctl dev version", "a table"),
        ("prismctl dev version -o json", "for a bug report"),
    ],
    has_stack=False,
)
def version(call: Invocation) -> None:
    """Ask the tools, all at once, and print what they say."""
    from prismctl.cli.tool_versions import describe_tools

    document = describe_tools(call.home)
    if call.is_json:
        call.write_json(document, is_pretty=call.is_on_terminal)
        return
    from prismctl.files.text import name_for_people
    from prismctl.present.listing import table_lines
    from prismctl.present.text import line

    supported = _supported_ranges()
    cells = [
        (
            row["name"],
            row["version"] or ("unknown" if row["path"] else "not installed"),
            supported.get(row["name"], ""),
            name_for_people(Path(row["path"])) if row["path"] else "",
            _from(row),
        )
        for row in document["tools"]
    ]
    cells.append(("platform", f"{platform.system()} {platform.machine()}", "", "", ""))
    header = ("TOOL", "VERSION", "SUPPORTED", "PATH", "FROM")
    call.write_lines(table_lines(header, cells, width=call.width))
    problems = [row["problem"] for row in document["tools"] if row["problem"]]
    problems += [document["complaint"]] * bool(document["complaint"])
    call.write_lines([line(f"  {each}") for each in ["", *problems]] if problems else [])


def _supported_ranges() -> dict[str, str]:
    """For each tool, the versions that work, in the few characters that a column has for them."""
    from prismctl.install.checks.platform import PYTHONS
    from prismctl.install.tools import TOOLS

    ranges = {"python": PYTHONS, **{str(name): tool.supported for name, tool in TOOLS.items()}}
    return {
        name: f">={first.major}.{first.minor} <{end.major}.{end.minor}"
        for name, (first, end) in ranges.items()
    }


def _from(row: dict[str, Any]) -> str:
    """Where it comes from, in words; a provider is named where it says more than the place does."""
    provider = row["provider"]
    return (
        f"{row['origin']} ({provider})" if provider and provider != "path" else row["origin"] or ""
    )
