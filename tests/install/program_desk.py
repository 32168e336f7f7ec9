"""Programs for tests: real processes on a PATH of their own, which behave as files beside them say, and note their calls."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDINGS = Path(__file__).parent / "recordings"
TOOLS = ("cat", "chmod", "cp", "env", "grep", "mv", "seq", "sleep", "true")
"""What the scripts need; nothing else of this machine is on their PATH."""


@dataclass
class ProgramDesk:
    """One directory with all of it; scripts find it as ``$DESK``."""

    directory: Path

    def __post_init__(self) -> None:
        (self.directory / "bin").mkdir(parents=True)
        for name in TOOLS:
            (self.directory / "bin" / name).symlink_to(shutil.which(name) or name)

    def write(self, name: str, content: str) -> None:
        (self.directory / name).write_text(content)

    def program(self, name: str, script: str) -> Path:
        path = self.directory / "bin" / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": str(self.directory / "bin"),
            "DESK": str(self.directory),
            "HOME": str(self.directory),
        }

    @property
    def log(self) -> list[str]:
        try:
            return (self.directory / "log").read_text().splitlines()
        except FileNotFoundError:
            return []
