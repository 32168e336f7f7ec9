"""Formats a directory for Kafka: ``… DIRECTORY PROPERTIES COMMAND…``, with the properties' file after the command.

Run by path with the bare interpreter, so it imports nothing of ours. Kafka's tool takes its properties from a file
only, and prints all three hundred of them; what it says is shown where it fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def main(directory: Path, properties: str, command: list[str]) -> int:
    """The exit code of the tool."""
    with tempfile.NamedTemporaryFile("w", suffix=".properties", dir=directory.parent) as file:
        file.write(properties)
        file.flush()
        done = subprocess.run([*command, file.name], capture_output=True, check=False)
    if done.returncode:
        sys.stderr.buffer.write(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
