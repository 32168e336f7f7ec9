"""Every tool with its version, its path, who brought it and whether it will do, as a document."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prismctl import __version__
from prismctl.install.inventory import take_inventory

if TYPE_CHECKING:
    from prismctl.files.paths import Home
    from prismctl.install.inventory import InventoryEntry


def describe_tools(home: Home) -> dict[str, Any]:
    """What `prismctl dev version` says; the tools are asked, all at once."""
    entries, complaint = asyncio.run(take_inventory(home, os.environ))
    return {
        "schema": 1,
        "platform": f"{platform.system().lower()}_{platform.machine()}",
        "tools": [*_own_rows(), *map(_render, entries), *_java_rows()],
        "complaint": complaint or None,
    }


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
