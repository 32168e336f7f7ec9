"""``prismctl dev version``: every tool with its version, its path, who brought it and whether it will do."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prismctl import __version__
from prismctl.cli.command import Command

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation
    from prismctl.install.inventory import InventoryEntry


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
    import asyncio

    from prismctl.install.inventory import take_inventory

    entries, complaint = asyncio.run(take_inventory(call.home, os.environ))
    rows = [*_own_rows(), *map(_render, entries), *_java_rows()]
    if call.is_json:
        document = {
            "schema": 1,
            "platform": f"{platform.system().lower()}_{platform.machine()}",
            "tools": rows,
            "complaint": complaint or None,
        }
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
        for row in rows
    ]
    cells.append(("platform", f"{platform.system()} {platform.machine()}", "", "", ""))
    header = ("TOOL", "VERSION", "SUPPORTED", "PATH", "FROM")
    call.write_lines(table_lines(header, cells, width=call.width))
    problems = [row["problem"] for row in rows if row["problem"]] + [complaint] * bool(complaint)
    call.write_lines([line(f"  {each}") for each in ["", *problems]] if problems else [])


def _own_rows() -> list[dict[str, Any]]:
    """What runs this command; it would not, were it not supported."""
    from prismctl.install.checks.platform import PYTHONS

    known = {"source": None, "supported": True, "wanted": None, "problem": None}
    return [
        {
            "name": "prismctl",
            "version": __version__,
            "path": str(Path(sys.argv[0]).absolute()),
            "origin": "this command",
            "provider": None,
            **known,
        },
        {
            "name": "python",
            "version": platform.python_version(),
            "path": sys.executable,
            "origin": "runs prismctl",
            "provider": None,
            **known,
            "wanted": str(PYTHONS),
        },
    ]


def _java_rows() -> list[dict[str, Any]]:
    """Java, which servers that are written in it need, where there is one.

    Its version is read from the file beside it: on a Mac without Java, what is on PATH asks to install one when it runs.
    """
    from prismctl.machine import find_program

    path = find_program("java")
    if not path:
        return []
    return [
        {
            "name": "java",
            "version": _read_java_version(Path(path).resolve().parent.parent) or None,
            "path": path,
            "origin": "on PATH",
            "provider": "path",
            "source": None,
            "supported": True,
            "wanted": None,
            "problem": None,
        }
    ]


def _read_java_version(java_home: Path) -> str:
    try:
        text = (java_home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE)
    return found[1] if found else ""


def _supported_ranges() -> dict[str, str]:
    """For each tool, the versions that work, in the few characters that a column has for them."""
    from prismctl.install.checks.platform import PYTHONS
    from prismctl.install.tools import TOOLS

    ranges = {"python": PYTHONS, **{str(name): tool.supported for name, tool in TOOLS.items()}}
    return {
        name: f">={first.major}.{first.minor} <{end.major}.{end.minor}"
        for name, (first, end) in ranges.items()
    }


def _render(entry: InventoryEntry) -> dict[str, Any]:
    """One tool; what is not known of it is ``None``."""
    return {
        "name": str(entry.name),
        "version": entry.version or None,
        "path": entry.path or None,
        "origin": entry.origin or None,
        "provider": entry.provider or None,
        "source": entry.source or None,
        "supported": entry.is_supported,
        "wanted": entry.wanted or None,
        "problem": entry.problem or None,
    }


def _from(row: dict[str, Any]) -> str:
    """Where it comes from, in words; a provider is named where it says more than the place does."""
    provider = row["provider"]
    return (
        f"{row['origin']} ({provider})" if provider and provider != "path" else row["origin"] or ""
    )
