"""Writes a file that a server reads its settings from, and becomes the server: ``write_file.py PATH TEXT COMMAND…``.

Run by path with the bare interpreter, so it imports nothing of ours.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

EXIT_CANNOT_START = 127


def main(path: Path, text: str, command: list[str]) -> None:
    """Write, then execute the command in place of this process; never returns."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.replace(path)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
    # Python changes these, and a new program would inherit that.
    for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - the command is the whole point
    except OSError as error:
        fail(f"cannot start {command[0]}: {error.strerror}")


def fail(message: str) -> None:
    """Say what is wrong where the service's own output goes, and end."""
    sys.stderr.write(f"{message}\n")
    sys.exit(EXIT_CANNOT_START)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
