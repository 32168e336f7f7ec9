"""Resolves the Kafka that tests run on, once a machine: `make backends`. Prints the directory of its jars.

They are in $PRISM_TOOLS_DIR or ~/.cache/prismctl, as kafka-HASH for the pom.xml they come from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from prismctl.machine import tools_directory

POM: Final = Path(__file__).parents[1] / "toolchain" / "kafka" / "pom.xml"
TIMEOUT_SECONDS: Final = 600.0


def kafka_directory(pom: bytes) -> Path:
    """Where the jars of a pom are, or will be."""
    tools = tools_directory()
    parent = tools if os.environ.get("PRISM_TOOLS_DIR") else tools.parent
    return parent / f"kafka-{hashlib.sha256(pom).hexdigest()[:12]}"


def ensure_kafka() -> Path:
    """Have Maven resolve the jars, unless they are there."""
    pom = POM.read_bytes()
    directory = kafka_directory(pom)
    if directory.is_dir():
        return directory
    maven = shutil.which("mvn")
    if maven is None:
        sys.exit("error: Kafka needs `mvn`, which is not installed\nhint: `apt-get install maven`")
    directory.parent.mkdir(parents=True, exist_ok=True)
    # The directory is whole or absent, and Maven writes nothing into the checkout.
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".kafka-") as work:
        (Path(work) / "pom.xml").write_bytes(pom)
        jars = Path(work) / "jars"
        command = [maven, "-q", "-B", "-f", f"{work}/pom.xml", "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            sys.exit(f"error: `mvn` could not resolve {POM}: it exited with code {done.returncode}")
        try:
            jars.rename(directory)
        except OSError:
            # Somebody else was faster.
            if not directory.is_dir():
                raise
    return directory


if __name__ == "__main__":
    sys.stdout.write(f"{ensure_kafka()}\n")
