"""``prismctl dev version``: every tool with its version, its path and where it came from."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from prismctl import __version__
from prismctl.cli.command import Command

if TYPE_CHECKING:
    from prismctl.cli.invocation import Invocation

_TOOLS: Final = {"nomad": "version", "consul": "version", "podman": "--version"}
"""The tools, and the word that makes each of them say its version."""
_PATIENCE_SECONDS: Final = 5.0
_VERSION: Final = re.compile(r"\d+\.\d+[\w.+-]*")


@click.command(
    cls=Command,
    help="Show the versions of all tools: prismctl, Python, Nomad, Consul and Podman, each with its path "
    "and where it came from. `prismctl --version` says only the first.",
    short_help="Show the versions of all tools.",
    examples=[
        ("prismctl dev version", "a table"),
        ("prismctl dev version -o json", "for a bug report"),
    ],
    has_stack=False,
)
def version(call: Invocation) -> None:
    """Ask the tools, all at once, and print what they say."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=len(_TOOLS)) as pool:
        found = list(pool.map(lambda name: _describe(name, call.home.tools), _TOOLS))
    rows = [
        {
            "name": "prismctl",
            "version": __version__,
            "path": str(Path(sys.argv[0]).absolute()),
            "origin": "this command",
        },
        {
            "name": "python",
            "version": platform.python_version(),
            "path": sys.executable,
            "origin": "runs prismctl",
        },
        *found,
    ]
    if call.is_json:
        call.write_json({"schema": 1, "tools": rows}, is_pretty=call.is_on_terminal)
        return
    from prismctl.present.listing import table_lines

    cells = [
        (row["name"], row["version"] or "not installed", row["path"] or "", row["origin"] or "")
        for row in rows
    ]
    call.write_lines(table_lines(("TOOL", "VERSION", "PATH", "FROM"), cells, width=call.width))


def _describe(name: str, home_tools: Path) -> dict[str, Any]:
    """One tool; version, path and origin are ``None`` when it is not installed."""
    from prismctl.machine import find_tool

    tool = find_tool(name, home_tools)
    if tool is None:
        return {"name": name, "version": None, "path": None, "origin": None}
    return {
        "name": name,
        "version": _ask_version(tool.path, _TOOLS[name]),
        "path": tool.path,
        "origin": tool.origin,
    }


def _ask_version(path: str, word: str) -> str:
    try:
        said = subprocess.run(
            [path, word],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({type(error).__name__})"
    match = _VERSION.search(said)
    return match[0] if match else "unknown"
