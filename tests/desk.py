"""Somebody at a terminal: the real command with a home, a catalog and a terminal or a pipe of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pexpect

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30
"""Seconds after which something that was expected will not come."""


class Desk:
    """A home of its own, a catalog, and the command on a terminal or in a pipe."""

    def __init__(self, lab: Any, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "PRISM_HOME": str(lab.home),
            "HOME": str(directory),
            "TERM": "xterm-256color",
        }
        self.terminals: list[pexpect.spawn[str]] = []

    def start(self, catalog: str, *flags: str) -> list[str]:
        (self.directory / "services.yaml").write_text(catalog)
        return [
            "dev",
            "start",
            "--engine",
            "local",
            "--services",
            "services.yaml",
            "--no-dashboard",
            *flags,
        ]

    def terminal(self, arguments: list[str], *, size: tuple[int, int] = (24, 80)) -> Any:
        return self.program([sys.executable, "-m", "prismctl", *arguments], size=size)

    def program(self, words: list[str], *, size: tuple[int, int] = (24, 80)) -> Any:
        child = pexpect.spawn(
            words[0],
            words[1:],
            env=self.environment,
            cwd=str(self.directory),
            encoding="utf-8",
            dimensions=size,
            timeout=PATIENCE,
        )
        self.terminals.append(child)
        return child

    def pipe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "prismctl", *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def state(self) -> str:
        return str(json.loads(self.pipe("dev", "status").stdout)["state"])


def read_to_end(child: Any) -> str:
    child.expect(pexpect.EOF)
    child.wait()
    return str(child.before)


def words(shown: str) -> str:
    """What is left without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def ended_with(child: Any) -> int:
    return int(child.exitstatus if child.exitstatus is not None else -child.signalstatus)
