"""Appends what all services print to one file, for whoever asked for that at the start."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.files.logs import LogFollower, find_logs

if TYPE_CHECKING:
    from prismctl.files.paths import StackPaths

POLL_SECONDS: Final = 0.1
"""Files are written by the keeper; only while somebody wants them they are looked at."""


async def copy_logs(paths: StackPaths, target: str) -> None:
    """Copy for ever, one line ``TIME SERVICE TEXT`` each; ends when the file cannot be written."""
    with LogFollower((), since=time.time()) as follower:
        while True:
            follower.include(find_logs(paths.logs))
            lines = follower.read_new()
            text = "".join(f"{line.time} {line.service} {line.text}\n" for line in lines)
            try:
                if text:
                    await asyncio.to_thread(_append, Path(target), text)
            except OSError as error:
                sys.stderr.write(f"cannot write {target}: {error.strerror}\n")
                return
            if not lines:
                await asyncio.sleep(POLL_SECONDS)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
