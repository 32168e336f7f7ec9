"""The versions of programs on this machine: each is asked once, and again when its file is another one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prismctl.domain.version_range import find_version
from prismctl.errors import PrismError
from prismctl.files.atomic import write_atomically
from prismctl.files.kafka_home import read_kafka_version

if TYPE_CHECKING:
    from prismctl.files.paths import Home

FILE_NAME: Final = "program-versions.json"
PATIENCE_SECONDS: Final = 5.0
_MAX_CHARACTERS: Final = 4096


def read_version(home: Home, program: str, *, saves: bool, asks: bool = True) -> str | None:
    """The version that a program says it is; empty: it does not say; ``None``: it would have to be asked.

    What is known is kept in home's cache, by path, size and time of the last change.

    Args:
        home: of the user.
        program: absolute path.
        saves: whether new knowledge is kept.
        asks: whether the program may be run for it.
    """
    path = Path(program)
    try:
        status = path.stat()
    except OSError:
        return ""
    stamp = [status.st_mtime_ns, status.st_size]
    file = home.cache / FILE_NAME
    known = _load(file)
    entry = known.get(program)
    if isinstance(entry, list) and entry[:2] == stamp:
        return str(entry[2])
    version = read_kafka_version(path) if path.name.startswith("kafka-") else ""
    if not version and not asks:
        return None
    version = version or ask_version(program)
    if version and saves:
        # Whoever cannot write there is slower, no more.
        with contextlib.suppress(OSError, PrismError):
            home.cache.mkdir(mode=0o700, exist_ok=True)
            write_atomically(file, json.dumps({**known, program: [*stamp, version]}))
    return version


def ask_version(program: str) -> str:
    """What ``--version`` says; empty: nothing that is one, or not in time."""
    try:
        done = subprocess.run(
            (program, "--version"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
            cwd="/",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout + done.stderr)[:_MAX_CHARACTERS].decode(errors="replace")
    return find_version(said)


def _load(file: Path) -> dict[str, object]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
